//! Sign-in through identity providers: OpenID Connect, authorization code with PKCE
//! (<https://openid.net/specs/openid-connect-core-1_0.html>). The provider says who a person is; the directory says what
//! the person may do. When a tenant has its own provider, its people sign in there only.

mod client;
mod errors;
mod person;
pub(crate) mod providers;
mod settings;
mod sign_in;
mod token;

pub use providers::check;
pub use settings::{Claim, Entry, Provider};
pub(crate) use sign_in::{callback, start};
