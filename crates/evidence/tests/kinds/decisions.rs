//! Decisions that the log operator forges with the log key: only the signatures of people reveal them.

use consent::{Portal, challenge};
use evidence::fixtures::SampleLog;
use evidence::fixtures::authorities::{person, portal};
use evidence::fixtures::devices::{Ceremony, Device};
use serde_json::Value;

use super::{Case, Tampering, by_operator, case, pick};

pub const KINDS: [Tampering; 24] = [
    ("approval by an unknown key", &[17], |log, _, draw| {
        approval(log, draw, |event| sign(event, &Device::p256(4), &at_portal(), |_| {}))
    }),
    ("approval by the key of another approver", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            let own = event["data"]["signature"]["assertion"]["key"].clone();
            let owner =
                log.authority.as_ref().unwrap().devices.iter().find(|(_, device)| own == device.key.id.as_str());
            let owner = owner.unwrap().0;
            let devices = &log.authority.as_ref().unwrap().devices;
            sign(event, &devices.iter().find(|(other, _)| *other != owner).unwrap().1, &at_portal(), |_| {});
        })
    }),
    ("approval without a signature", &[17], |log, _, draw| {
        approval(log, draw, |event| drop(event["data"].as_object_mut().unwrap().remove("signature")))
    }),
    ("approval with the signature of another request", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["signature"]["decision"]["request"] = person(77).to_string().into();
            resign(log, event);
            event["data"]["signature"]["decision"]["request"] = event["correlationid"].clone();
        })
    }),
    ("approval of another digest", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["signature"]["decision"]["digest"] = "ab".repeat(32).into();
            resign(log, event);
        })
    }),
    ("denial presented as an approval", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["signature"]["decision"]["verdict"] = "deny".into();
            event["data"]["signature"]["decision"]["duration_seconds"] = 0.into();
            resign(log, event);
        })
    }),
    ("approval put on another person", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            let other = if event["data"]["actor"]["id"] == person(3).to_string() { 4 } else { 3 };
            event["data"]["actor"]["id"] = person(other).to_string().into();
            event["data"]["signature"]["decision"]["person"] = person(other).to_string().into();
        })
    }),
    ("approval by somebody who is no approver", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["actor"]["id"] = person(9).to_string().into();
            sign(event, &Device::p256(4), &at_portal(), |decision| decision["person"] = person(9).to_string().into());
        })
    }),
    ("longer duration in the event", &[17], |log, _, draw| {
        approval(log, draw, |event| event["data"]["duration_seconds"] = 3599.into())
    }),
    ("longer duration in the event and in the decision", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["duration_seconds"] = 3599.into();
            event["data"]["signature"]["decision"]["duration_seconds"] = 3599.into();
        })
    }),
    ("comment replaced", &[11, 17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["comment"] = serde_json::json!({"committed": "ab".repeat(32)});
            event["data"]["signature"]["decision"]["comment"] = "ab".repeat(32).into();
        })
    }),
    ("person not verified by the device", &[17], |log, _, draw| {
        ceremony(log, draw, Ceremony { flags: 0x01, ..at_portal() })
    }),
    ("passkey used at another origin", &[17], |log, _, draw| {
        let elsewhere = Portal { origin: "https://lockbox.evil.example".into(), ..portal() };
        ceremony(log, draw, Ceremony { portal: elsewhere, ..at_portal() })
    }),
    ("passkey used for another relying party", &[17], |log, _, draw| {
        let elsewhere = Portal { rp_id: "evil.example".into(), ..portal() };
        ceremony(log, draw, Ceremony { portal: elsewhere, ..at_portal() })
    }),
    ("assertion of a registration", &[17], |log, _, draw| {
        ceremony(log, draw, Ceremony { kind: "webauthn.create".into(), ..at_portal() })
    }),
    ("passkey used in a frame of another site", &[17], |log, _, draw| {
        ceremony(log, draw, Ceremony { is_framed: true, ..at_portal() })
    }),
    ("signature over an expired nonce", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            let before = format!("{}.000000Z", &event["time"].as_str().unwrap()[..19]);
            event["data"]["signature"]["decision"]["not_after"] = moved(&before, -1).into();
            resign(log, event);
        })
    }),
    ("signature that claims to be valid for an hour", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            let time = moved(event["time"].as_str().unwrap(), 3600);
            event["data"]["signature"]["decision"]["not_after"] = time.into();
            resign(log, event);
        })
    }),
    ("decision under another version of the authority", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            let version = event["data"]["signature"]["decision"]["authority_version"].as_u64().unwrap();
            event["data"]["signature"]["decision"]["authority_version"] = (version + 1).into();
            resign(log, event);
        })
    }),
    ("decision of another tenant", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["signature"]["decision"]["tenant"] = "adatum".into();
            resign(log, event);
        })
    }),
    ("decision with another member", &[17], |log, _, draw| {
        approval(log, draw, |event| {
            event["data"]["signature"]["decision"]["remark"] = "signed as well".into();
            resign(log, event);
        })
    }),
    ("bit of a signature flipped", &[17], |log, _, draw| {
        let place = pick(draw, 40);
        approval(log, draw, |event| {
            let signature = event["data"]["signature"]["assertion"]["signature"].as_str().unwrap();
            let mut letters: Vec<u8> = signature.bytes().collect();
            letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
            event["data"]["signature"]["assertion"]["signature"] = String::from_utf8(letters).unwrap().into();
        })
    }),
    ("vendor approval without a signature", &[17], |log, _, draw| {
        event_of(log, draw, "request.vendor_approved", |event| {
            event["data"].as_object_mut().unwrap().remove("signature");
        })
    }),
    ("vendor approval by the key of an approver of the customer", &[17], |log, _, draw| {
        event_of(log, draw, "request.vendor_approved", |event| {
            sign(event, &log.authority.as_ref().unwrap().devices[0].1, &at_portal(), |_| {});
        })
    }),
];

pub fn at_portal() -> Ceremony {
    Ceremony::at(&portal())
}

/// A time moved by so many seconds.
pub fn moved(time: &str, seconds: i64) -> String {
    let at: chrono::DateTime<chrono::Utc> = time.parse().unwrap();
    consent::time_text(at + chrono::TimeDelta::seconds(seconds))
}

/// Changes a decision and signs it.
pub fn sign(event: &mut Value, device: &Device, ceremony: &Ceremony, edit: impl Fn(&mut Value)) {
    edit(&mut event["data"]["signature"]["decision"]);
    let decision = &event["data"]["signature"]["decision"];
    let assertion = device.sign_with(ceremony, &challenge("lockbox/decision/v1", decision));
    event["data"]["signature"]["assertion"] = serde_json::to_value(assertion).unwrap();
}

/// Signs a decision again with the key that signed it before, as its owner would.
pub fn resign(log: &SampleLog, event: &mut Value) {
    let own = device(log, event);
    sign(event, own, &at_portal(), |_| {});
}

/// The device that signed a decision.
fn device<'a>(log: &'a SampleLog, event: &Value) -> &'a Device {
    let key = event["data"]["signature"]["assertion"]["key"].as_str().unwrap();
    let authorities = [log.authority.as_ref().unwrap(), log.vendor.as_ref().unwrap()];
    let mut devices = authorities.into_iter().flat_map(|authority| &authority.devices);
    &devices.find(|(_, device)| device.key.id == key).unwrap().1
}

/// Changes one signed event of this kind.
fn event_of(log: &SampleLog, draw: &mut dyn FnMut() -> u64, kind: &str, change: impl Fn(&mut Value)) -> Case {
    let mut events = log.events();
    let is_one = |place: &usize| {
        let event = &events[*place];
        event["type"] == format!("lockbox.{kind}.v1").as_str() && event["data"]["signature"].is_object()
    };
    let places: Vec<usize> = (0..events.len()).filter(is_one).collect();
    change(&mut events[places[pick(draw, places.len())]]);
    case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
}

fn approval(log: &SampleLog, draw: &mut dyn FnMut() -> u64, change: impl Fn(&mut Value)) -> Case {
    event_of(log, draw, "request.customer_approved", change)
}

/// An approval whose passkey signed in another ceremony. Software keys know no ceremony, so a passkey takes their place.
fn ceremony(log: &SampleLog, draw: &mut dyn FnMut() -> u64, ceremony: Ceremony) -> Case {
    approval(log, draw, |event| {
        let own = device(log, event);
        let passkey = &log.authority.as_ref().unwrap().devices[0].1;
        sign(event, if own.key.kind == consent::KeyKind::Passkey { own } else { passkey }, &ceremony, |_| {});
    })
}
