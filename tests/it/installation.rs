//! The page for operators shows what needs attention and the command that helps, without the content of messages.

use crate::harness::{Lockbox, ROLES};
use crate::person::Site;

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_dead_letter_messages_and_what_to_do_about_them() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let morgan = site.sign_in("Morgan Reyes").await;
    let page = morgan.get("/installation").await.text;
    assert!(page.contains("There are no unresolved dead-letter messages."), "{page}");
    let id = uuid::Uuid::now_v7().to_string();
    lockbox.publish_raw("request.submit.v1", &id, b"{ \"justification\": \"secret".to_vec()).await;
    lockbox.answer(&id).await;
    let page = morgan.get("/installation").await.text;
    for shown in ["lockbox dead-letter show ID", "<strong>1</strong>", "intake ·"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("secret"), "{page}");
    site.close();
    lockbox.finish().await;
}
