//! Fetching what the engineer shows at the gate: made on a click, shown once.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, Filled, page};
use super::request::find;
use super::session::Viewer;
use runtime::outcome::Failure;

#[derive(Deserialize)]
pub(crate) struct Fetch {
    form_token: String,
}

#[derive(Template)]
#[template(path = "handle.html")]
struct HandlePage {
    viewer: Viewer,
    id: Uuid,
    service_request: String,
    handle: String,
}

pub(crate) async fn fetch(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Filled(fetch): Filled<Fetch>,
) -> Answer {
    viewer.check(&fetch.form_token)?;
    let (request, _) = find(&app, &viewer, &id).await?;
    let issued = operations::access_token::issue(&app.store, request.id, &viewer.person.name).await;
    let (handle, event) = issued.map_err(|failure| match failure {
        Failure::NotFound(_) => Fault::Missing,
        failure => Fault::of_click(failure, &format!("/requests/{}", request.id)),
    })?;
    app.relay.publish(vec![event], Vec::new(), app.store.clock().await?).await;
    page(&HandlePage { viewer, id: request.id, service_request: request.service_request, handle })
}
