//! Creates the access token of a grant and shows it once.

use askama::Template;
use axum::extract::{Path, State};
use runtime::outcome::Failure;
use serde::Deserialize;
use uuid::Uuid;

use super::app::App;
use super::response::{Form, PageError, PageResult, render};
use super::session::Viewer;
use super::visibility::load_request;

#[derive(Deserialize)]
pub(crate) struct CreateForm {
    form_token: String,
}

#[derive(Template)]
#[template(path = "access_token.html")]
struct AccessTokenPage {
    viewer: Viewer,
    id: Uuid,
    service_request: String,
    access_token: String,
}

pub(crate) async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<CreateForm>,
) -> PageResult {
    viewer.check(&form.form_token)?;
    let (request, _) = load_request(&app, &viewer, &id).await?;
    let issued = operations::access_token::issue(&app.store, request.id, &viewer.person.name).await;
    let (access_token, event) = issued.map_err(|failure| match failure {
        Failure::NotFound(_) => PageError::NotFound,
        failure => PageError::of_failure(failure, &format!("/requests/{}", request.id)),
    })?;
    app.relay.publish(vec![event], Vec::new(), app.store.clock().await?).await;
    render(&AccessTokenPage { viewer, id: request.id, service_request: request.service_request, access_token })
}
