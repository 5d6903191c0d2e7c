//! The authority of the viewer: its statements and proposals, and what its forms may refer to.

use consent::{AuthorityFile, RecordedStatement, VENDOR, time_text};
use domain::{Role, Side};
use store::authority::Authority;
use uuid::Uuid;

use super::edit::Known;
use crate::app::App;
use crate::response::PageError;
use crate::session::Viewer;

/// The authority whose approver the viewer is, or would be: that of the tenant, or of the vendor for managers.
///
/// # Errors
/// [`PageError::NotFound`] for everybody else.
pub(crate) async fn own_authority(app: &App, viewer: &Viewer) -> Result<(String, Option<Authority>), PageError> {
    let name = match viewer.person.side {
        Side::Customer(id) if viewer.is(Role::Approver) => {
            let tenants = app.store.tenants().await?;
            tenants.into_iter().find(|tenant| tenant.id == id).ok_or(PageError::NotFound)?.name
        }
        Side::Vendor if viewer.is_manager() => VENDOR.to_owned(),
        Side::Customer(_) | Side::Vendor => return Err(PageError::NotFound),
    };
    let authority = app.store.authority(&name).await?;
    Ok((name, authority))
}

/// The authority of the viewer.
///
/// # Errors
/// [`PageError::NotFound`] when it is not founded.
pub(super) async fn founded(app: &App, viewer: &Viewer) -> Result<Authority, PageError> {
    own_authority(app, viewer).await?.1.ok_or(PageError::NotFound)
}

/// Every statement of an authority as a file.
pub(crate) fn authority_file(tenant: String, authority: &Authority) -> AuthorityFile {
    let statement = |recorded: &store::authority::Recorded| RecordedStatement {
        statement: recorded.signed.statement.clone(),
        signatures: recorded.signed.signatures.clone(),
        recorded_at: time_text(recorded.recorded_at),
    };
    AuthorityFile { v: 1, tenant, statements: authority.statements.iter().map(statement).collect() }
}

/// What a form may refer to.
pub(super) async fn known(app: &App, viewer: &Viewer) -> Result<Known, PageError> {
    let people = match viewer.person.side {
        Side::Customer(tenant) => app.store.people_of(tenant.0).await?,
        Side::Vendor => {
            let people = app.store.enabled_people().await?;
            people.into_iter().filter(|person| person.side == Side::Vendor).collect()
        }
    };
    let mut registered = Vec::new();
    for person in &people {
        let stored = app.store.passkeys(person.id.0).await?;
        let keys = stored.iter().filter_map(|passkey| ::passkeys::public_key(&passkey.record).ok());
        registered.extend(keys.map(|key| (person.id.0, key)));
    }
    Ok(Known { viewer: viewer.person.id.0, people, passkeys: registered, services: app.services().await? })
}

/// Checks that an open change is one of the viewer's authority.
///
/// # Errors
/// [`PageError::NotFound`] when it is not.
pub(crate) async fn own_change(app: &App, viewer: &Viewer, id: Uuid) -> Result<(), PageError> {
    let (name, _) = own_authority(app, viewer).await?;
    let open = app.store.open_changes(&name).await?;
    open.iter().find(|proposal| proposal.id == id).map(|_| ()).ok_or(PageError::NotFound)
}
