//! `lockbox tenant`: founds the authority of a tenant by inviting its first approver.

use clap::{Args, Subcommand};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, fields, json as print_json, print_message, time};
use runtime::serve::open_store;
use serde_json::json;

use super::operator::Operator;

/// Tenant commands.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Invite the first approver, who founds the authority of the tenant in the browser.
    Invite(Invite),
}

/// An invitation.
#[derive(Args, Debug)]
#[command(
    after_help = "Send the link and the code through different channels, such as the link by mail and the code by telephone. Both expire after 7 days, and five wrong codes end them. `vendor` in place of the tenant invites the first approver of the vendor's own authority.\n\nExample:\n  lockbox tenant invite contoso --name alex --display-name \"Alex Novak\" --email alex@contoso.example"
)]
pub struct Invite {
    /// Short name of the tenant, or `vendor`.
    tenant: String,
    /// Short name of the person.
    #[arg(long)]
    name: String,
    /// Name of the person on pages and in mails [default: the short name].
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Address of the person.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    #[command(flatten)]
    operator: Operator,
}

impl TenantCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let Self::Invite(invite) = self;
        if !contracts::directory::is_address(&invite.email) {
            return Err(Failure::Usage(format!("email: {:?} is not an email address", invite.email)));
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let display_name = invite.display_name.as_deref().unwrap_or(&invite.name);
        let person = (invite.name.as_str(), display_name, invite.email.as_str());
        let by = invite.operator.actor().name.unwrap_or_default();
        let invitation = store.invite_founder(&invite.tenant, person, &by).await.map_err(|fault| match fault {
            store::Error::NotFound(name) => Failure::NotFound(format!("there is no tenant {name}")),
            store::Error::TenantIsFounded(name) => Failure::Refused {
                code: "tenant_is_founded".to_owned(),
                message: format!("{name} is founded already; its own approvers add approvers"),
            },
            fault => fault.into(),
        })?;
        let portal = settings.mail.portal_url.trim_end_matches('/');
        let (link, expires) = (format!("{portal}/founding/{}", invitation.link), time(invitation.expires_at));
        if format != Format::Table {
            return print_json(&json!({"link": link, "code": invitation.code, "expires_at": expires}));
        }
        print_message(&format!("Send the link to {}, and the code through another channel:", invite.email));
        fields(&[("Link", link), ("Code", invitation.code), ("Expires", expires)])
    }
}
