//! Validates identity tokens and reads their claims
//! (<https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>). Strict about issuer, audience, signature
//! and times; lenient about the format of numbers and booleans, because providers differ.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyUse, JwsSigningAlgorithm};
use serde_json::{Map, Value};

/// Clocks of providers may differ from the database's clock by this many seconds.
const LEEWAY_SECONDS: f64 = 180.0;

/// What a valid identity token has.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// Audiences that are allowed beside the client ID.
    pub audiences: &'a [String],
    pub nonce: &'a str,
    /// Seconds since 1970, by the database's clock.
    pub now: f64,
}

/// Claims about a person, from an identity token or from `UserInfo`.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(pub Map<String, Value>);

impl Claims {
    /// Parses a JSON object.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    /// A claim that is text and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// A claim that is a boolean, also as text.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A claim that is a time in seconds since 1970, also as text.
    fn seconds(&self, name: &str) -> Result<Option<f64>, String> {
        let read = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                read(value).filter(|at| at.is_finite()).map(Some).ok_or_else(|| format!("{name} is not a time"))
            }
        }
    }

    fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Whether an algorithm uses a key pair: the portal could sign a token with its own secret itself.
fn is_key_pair(kind: &CoreJwsSigningAlgorithm) -> bool {
    use CoreJwsSigningAlgorithm as Kind;
    !matches!(kind, Kind::None | Kind::HmacSha256 | Kind::HmacSha384 | Kind::HmacSha512)
}

fn fits(key: &CoreJsonWebKey, kind: &CoreJwsSigningAlgorithm) -> bool {
    let algorithm = match key.signing_alg() {
        JsonWebKeyAlgorithm::Algorithm(of_key) => of_key == kind,
        JsonWebKeyAlgorithm::Unspecified => true,
        JsonWebKeyAlgorithm::Unsupported => false,
    };
    algorithm
        && key.key_use().is_none_or(JsonWebKeyUse::allows_signature)
        && kind.key_type().as_ref() == Some(key.key_type())
}

/// The claims of a valid token.
///
/// # Errors
/// Why the token is not valid, for the log.
pub(super) fn verify(
    token: &str,
    keys: &[CoreJsonWebKey],
    algorithms: &[String],
    expected: &Expected<'_>,
) -> Result<Claims, String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [head, body, signature] = parts[..] else { return Err("the token does not have three parts".to_owned()) };
    let decode =
        |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of the token is not base64url".to_owned());
    let header = Claims::read(&decode(head)?).ok_or("the header is not JSON")?;
    let name = header.text("alg").ok_or("the header has no algorithm")?;
    let kind: CoreJwsSigningAlgorithm =
        serde_json::from_value(name.into()).map_err(|_| format!("the algorithm {name} is unknown"))?;
    if !is_key_pair(&kind) || !algorithms.iter().any(|offered| offered == name) {
        return Err(format!("the algorithm {name} is not an algorithm of the provider with a key pair"));
    }
    if header.0.contains_key("crit") {
        return Err("the header has critical members (crit), which are not supported".to_owned());
    }
    let kid = header.text("kid");
    let named = |key: &&CoreJsonWebKey| match (kid, key.key_id()) {
        (Some(kid), Some(id)) => id.as_str() == kid,
        _ => true,
    };
    let signed = format!("{head}.{body}");
    let signature = decode(signature)?;
    let mut candidates = keys.iter().filter(named).filter(|key| fits(key, &kind));
    if !candidates.any(|key| key.verify_signature(&kind, signed.as_bytes(), &signature).is_ok()) {
        return Err(format!("no key of the provider matches the signature (kid {kid:?}, {name})"));
    }
    let claims = Claims::read(&decode(body)?).ok_or("the body is not JSON")?;
    check(&claims, expected)?;
    Ok(claims)
}

/// Checks issuer, audience, times and nonce.
fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), String> {
    if claims.text("iss") != Some(expected.issuer) {
        return Err(format!("the issuer is {:?}", claims.text("iss")));
    }
    let (audiences, party) = (claims.audiences(), claims.text("azp"));
    if !audiences.contains(&expected.client_id) {
        return Err(format!("the audience is {audiences:?}"));
    }
    if party.is_some_and(|party| party != expected.client_id) {
        return Err(format!("the authorized party is {party:?}"));
    }
    let is_known = |name: &&str| *name == expected.client_id || expected.audiences.iter().any(|known| known == name);
    if party.is_none() && !audiences.iter().all(is_known) {
        return Err(format!("the audience is {audiences:?} without an authorized party; see --oidc-audience"));
    }
    let now = expected.now;
    let ends = claims.seconds("exp")?.ok_or("there is no expiry time (exp)")?;
    if ends + LEEWAY_SECONDS <= now {
        return Err(format!("the token expired {} s ago", now - ends));
    }
    for name in ["nbf", "iat"] {
        if let Some(at) = claims.seconds(name)?.filter(|at| at - LEEWAY_SECONDS > now) {
            return Err(format!("{name} is {} s in the future", at - now));
        }
    }
    if claims.text("nonce") != Some(expected.nonce) {
        return Err("the nonce is of another sign-in".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(change: &Value) -> Result<(), String> {
        let mut claims = json!({
            "iss": "https://login.example", "aud": "lockbox", "exp": 1060, "iat": 1000, "nonce": "n", "sub": "s",
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let audiences = ["api".to_owned()];
        let expected = Expected {
            issuer: "https://login.example",
            client_id: "lockbox",
            audiences: &audiences,
            nonce: "n",
            now: 1000.0,
        };
        check(&Claims(claims.as_object().unwrap().clone()), &expected)
    }

    #[test]
    fn claims_in_the_formats_of_different_providers_are_valid() {
        for good in [
            json!({}),
            json!({"aud": ["lockbox"]}),
            json!({"aud": ["lockbox", "project-1"], "azp": "lockbox"}),
            json!({"aud": ["lockbox", "api"]}),
            json!({"exp": "1060", "iat": 1000.25}),
            json!({"exp": 900, "iat": 840}),
            json!({"iat": 1120, "nbf": 1120, "exp": 1180}),
            json!({"updated_at": "2026-11-28T10:00:00Z", "address": 5}),
        ] {
            assert_eq!(faults(&good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_token_with_another_audience_time_or_nonce_is_not_valid() {
        for bad in [
            json!({"iss": "https://login.example/"}),
            json!({"aud": "elsewhere"}),
            json!({"aud": []}),
            json!({"aud": ["lockbox", "project-1"]}),
            json!({"aud": ["lockbox", "project-1"], "azp": "project-1"}),
            json!({"azp": "elsewhere"}),
            json!({"exp": 800}),
            json!({"exp": "soon"}),
            json!({"exp": null}),
            json!({"nbf": 1200, "exp": 1300}),
            json!({"iat": 1200, "exp": 1300}),
            json!({"nonce": "replayed"}),
        ] {
            assert!(faults(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn booleans_can_be_text() {
        let claims = Claims(json!({"a": true, "b": "True", "c": "no", "d": false}).as_object().unwrap().clone());
        let read: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| claims.flag(name)).to_vec();
        assert_eq!(read, [Some(true), Some(true), None, Some(false), None]);
    }
}
