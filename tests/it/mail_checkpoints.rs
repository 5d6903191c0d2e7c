//! Both verifiers find the checkpoint in a saved mail: in the exact bytes that the mail server received.

use contracts::Kind;
use domain::Verdict::Approve;

use crate::harness::{Lockbox, eventually, python, submission};
use crate::histories::{run, until_placed};

#[tokio::test(flavor = "multi_thread")]
async fn both_verifiers_compare_the_checkpoint_of_a_saved_mail_with_the_log() {
    let roles = [&crate::harness::ROLES[..], &[workers::RoleName::Mail]].concat();
    let lockbox = Lockbox::with_roles(&roles).await;
    // Mails contain a checkpoint only after the first one is signed.
    eventually("the log is signed", async || lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap()).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.until_idle().await;
    let is_signed = |mail: &portal::mailbox::Mail| mail.text.contains("\u{2014} lockbox.fabrikam.example/t/contoso ");
    eventually("a mail with a checkpoint arrived", async || {
        lockbox.mailbox.mails().iter().any(is_signed).then_some(())
    })
    .await;
    let mails = lockbox.mailbox.mails();
    until_placed(&lockbox).await;
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("contoso.tar");
    let export = export.to_str().unwrap();
    let (code, text) = run(&lockbox, &["audit", "export", "--tenant", "contoso", "--to", export]);
    assert_eq!(code, 0, "{text}");
    let key = lockbox.store.log_keys(Some("contoso")).await.unwrap().remove(0);
    let mut encoded = 0;
    for (number, mail) in mails.iter().enumerate() {
        if !is_signed(mail) {
            continue;
        }
        encoded += usize::from(String::from_utf8_lossy(&mail.raw).contains("=E2=80=94"));
        // As received, and forwarded as an attachment.
        let forwarded = [
            b"Subject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: \
              text/plain\r\n\r\nsee below\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n",
            mail.raw.as_slice(),
            b"\r\n--b--\r\n",
        ]
        .concat();
        for (name, bytes) in [("saved", &mail.raw), ("forwarded", &forwarded)] {
            let path = folder.path().join(format!("{name}{number}.eml"));
            std::fs::write(&path, bytes).unwrap();
            let path = path.to_str().unwrap();
            let (code, text) = run(&lockbox, &["audit", "verify", "--tenant", "contoso", "--checkpoint", path]);
            assert_eq!(code, 18, "{name}: {text}");
            let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/verify");
            let done = python().args([program, export, "--key", &key, "--checkpoint", path]).output().unwrap();
            let output = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
            assert_eq!(done.status.code(), Some(18), "{name}: {output}");
            // An invalid checkpoint is reported, which shows that the verifier reads it.
            let foreign = String::from_utf8_lossy(bytes).replace("/t/contoso", "/t/adatum");
            std::fs::write(path, foreign).unwrap();
            let (_, text) = run(&lockbox, &["audit", "verify", export, "--key", &key, "--checkpoint", path]);
            assert!(text.contains("NOT VALID"), "{name}: {text}");
        }
    }
    assert!(encoded > 0, "some mail is quoted-printable");
    lockbox.finish().await;
}
