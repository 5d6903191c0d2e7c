//! Mailboxes of a Dovecot server.

use std::path::Path;
use std::time::Duration;

use connectors::{AccessLevel, Config, Connector, Found, Mailbox, MailboxSettings, Order, Target, build};
use domain::Verdict::Approve;
use servers::programs::{debian, or_skip};
use workers::RoleName;

use crate::gate::{Gate, access_token, end, granted, make_writable, uses};
use crate::harness::{Lockbox, ROLES, eventually, packages, progress, submission};
use crate::target_servers::{Imap, folder, mail_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_readable_while_access_is_active_and_the_session_ends_with_access() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let folder = folder("mail");
    let server = mail_server(&folder, &gate.address.to_string());
    let doveadm = format!("http://127.0.0.1:{}", server.doveadm);
    let provisioning = Mailbox::new(folder.join("entries"), &doveadm, "change-me").unwrap();
    let mut asked = submission();
    asked["duration_seconds"] = 600.into();
    let robin = "robin*finance@contoso.example";
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "before approval");
    let request = granted(&lockbox, &asked).await;
    let shown = access_token(&lockbox, request).await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "the provisioning is not open yet");
    let order = Order {
        grant: request,
        tenant: "contoso".into(),
        service: "exchange_online".into(),
        resource: "finance@contoso.example".into(),
        access_level: AccessLevel::ReadOnly,
        engineer: "robin".into(),
        until: lockbox.view(request).await.access_until.unwrap(),
    };
    provisioning.open(&order).await.unwrap();
    let mut session = Imap::enter(server.imap, robin, &shown).await.unwrap();
    assert!(session.say("SELECT INBOX").await.contains("READ-ONLY"));
    assert!(session.say("FETCH 1 BODY.PEEK[TEXT]").await.contains("content of finance@contoso.example"));
    session.say("STORE 1 +FLAGS (\\Deleted)").await;
    session.say("EXPUNGE").await;
    assert!(session.say("CREATE more").await.contains("NOPERM"));
    assert!(session.say("COPY 1 INBOX").await.contains("NOPERM"));
    let subscriptions = folder.join("mail/finance@contoso.example/subscriptions");
    for command in ["SUBSCRIBE INBOX", "SUBSCRIBE Archive", "UNSUBSCRIBE INBOX"] {
        session.say(command).await;
        assert_eq!(std::fs::read_to_string(&subscriptions).unwrap(), "INBOX\n", "{command} changes the owner's list");
    }
    assert!(session.say("SUBSCRIBE Archive").await.contains("x NO"));
    assert!(session.say("LIST \"\" *").await.contains("Archive"), "every folder is shown");
    let mut another = Imap::enter(server.imap, robin, &shown).await.unwrap();
    another.say("SELECT INBOX").await;
    assert!(another.say("FETCH 1 (FLAGS BODY.PEEK[TEXT])").await.contains("content of"), "nothing was deleted");
    for (login, password) in [
        ("robin*hr@contoso.example", shown.as_str()),
        ("sam*finance@contoso.example", shown.as_str()),
        ("finance@contoso.example", shown.as_str()),
        (robin, "lbg_guessed"),
    ] {
        assert!(Imap::enter(server.imap, login, password).await.is_err(), "{login}");
    }
    assert_eq!(
        (provisioning.probe(&order).await.unwrap(), provisioning.marked().await.unwrap()),
        (Found::Open, vec![request])
    );
    end(&lockbox, request).await;
    let started = std::time::Instant::now();
    assert!(
        Imap::enter(server.imap, robin, &shown).await.is_err(),
        "the gate refuses before the provisioning is revoked"
    );
    provisioning.close(&order).await.unwrap();
    assert!(provisioning.terminate_sessions(&order).await.unwrap() >= 1);
    eventually("the session is cut", async || (!session.say("NOOP").await.contains("x OK")).then_some(())).await;
    eventually("the target reads back as closed", async || {
        (provisioning.probe(&order).await.unwrap() == Found::Closed).then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    eventually("logins are in the audit log", async || {
        let uses = uses(&lockbox).await;
        let is = |code: &str| uses.iter().any(|(known, _, data)| known == code && data["method"] == "LOGIN");
        (is("ok") && is("unknown_credential") && is("not_open")).then_some(())
    })
    .await;

    // Ends that hold by themselves: the entry's own for logins and for sessions, and a gate that is away.
    let next = granted(&lockbox, &asked).await;
    let shown = access_token(&lockbox, next).await;
    let until = contracts::envelope::wall_clock() + chrono::TimeDelta::seconds(4);
    let brief = Order { grant: next, until, ..order.clone() };
    provisioning.open(&brief).await.unwrap();
    let mut session = Imap::enter(server.imap, robin, &shown).await.unwrap();
    let mut idle = Imap::enter(server.imap, robin, &shown).await.unwrap();
    idle.say("SELECT INBOX").await;
    let cut = tokio::time::timeout(Duration::from_secs(20), idle.say("IDLE")).await.unwrap();
    let late = contracts::envelope::wall_clock() - until;
    assert!(late >= chrono::TimeDelta::zero() && late < chrono::TimeDelta::seconds(3), "{late}: {cut}");
    eventually("Dovecot cuts by its own clock", async || (!session.say("NOOP").await.contains("x OK")).then_some(()))
        .await;
    eventually("Dovecot refuses by its own clock", async || Imap::enter(server.imap, robin, &shown).await.err()).await;
    assert!(contracts::envelope::wall_clock() >= until);
    provisioning.open(&Order { grant: next, ..order }).await.unwrap();
    assert!(Imap::enter(server.imap, robin, &shown).await.is_ok());
    gate.close().await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "no gate, no mailbox");
    server.stop();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_the_rights_of_the_grant_whose_token_it_used() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let place = folder("two-grants");
    let server = mail_server(&place, &gate.address.to_string());
    let doveadm = format!("http://127.0.0.1:{}", server.doveadm);
    let provisioning = Mailbox::new(place.join("entries"), &doveadm, "change-me").unwrap();
    let (reading, writing) = (granted(&lockbox, &submission()).await, granted(&lockbox, &submission()).await);
    make_writable(&lockbox, writing).await;
    // The one that may write lasts longer.
    for (grant, access_level, seconds) in [(reading, AccessLevel::ReadOnly, 30), (writing, AccessLevel::ReadWrite, 50)]
    {
        provisioning
            .open(&Order {
                grant,
                tenant: "contoso".into(),
                service: "exchange_online".into(),
                resource: "finance@contoso.example".into(),
                access_level,
                engineer: "robin".into(),
                until: contracts::envelope::wall_clock() + chrono::TimeDelta::seconds(seconds),
            })
            .await
            .unwrap();
    }
    for (grant, rights) in [(reading, "READ-ONLY"), (writing, "READ-WRITE")] {
        let shown = access_token(&lockbox, grant).await;
        let mut session = Imap::enter(server.imap, "robin*finance@contoso.example", &shown).await.unwrap();
        let said = session.say("SELECT INBOX").await;
        assert!(said.contains(rights), "{said}");
    }
    gate.close().await;
    server.stop();
    lockbox.finish().await;
}

/// The mails that mbsync copied for a folder of the mailbox.
fn pulled(folder: &Path) -> Vec<String> {
    let mails =
        ["cur", "new"].iter().flat_map(|part| std::fs::read_dir(folder.join(part)).into_iter().flatten().flatten());
    mails.map(|mail| std::fs::read_to_string(mail.path()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mbsync_copies_every_mail_of_every_folder_and_can_write_none() {
    let Some(mbsync) = or_skip(debian(&["isync"], "mbsync", &packages(), &progress())) else { return };
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let place = folder("mbsync");
    let server = mail_server(&place, &gate.address.to_string());
    let doveadm = format!("http://127.0.0.1:{}", server.doveadm);
    let provisioning = Mailbox::new(place.join("entries"), &doveadm, "change-me").unwrap();
    let mut asked = submission();
    asked["duration_seconds"] = 600.into();
    let request = granted(&lockbox, &asked).await;
    let shown = access_token(&lockbox, request).await;
    let until = lockbox.view(request).await.access_until.unwrap();
    provisioning
        .open(&Order {
            grant: request,
            tenant: "contoso".into(),
            service: "exchange_online".into(),
            resource: "finance@contoso.example".into(),
            access_level: AccessLevel::ReadOnly,
            engineer: "robin".into(),
            until,
        })
        .await
        .unwrap();
    let here = folder("mbsync-copy");
    let config = here.join("config");
    let text = format!(
        "IMAPAccount contoso\nHost 127.0.0.1\nPort {}\nUser robin*finance@contoso.example\nPass {shown}\nSSLType None\nAuthMechs LOGIN\n\n\
         IMAPStore far\nAccount contoso\n\nMaildirStore near\nPath PLACE/\nInbox PLACE/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSyncState *\nSync All\n",
        server.imap,
    );
    let text = text.replace("PLACE", &here.display().to_string());
    std::fs::write(&config, text).unwrap();
    let run = async || {
        let mut command = mbsync.command();
        command.arg("-c").arg(&config).arg("-a").env("HOME", &here);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let first = run().await;
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert_eq!(pulled(&here.join("INBOX")).len(), 1, "{said}");
    assert!(pulled(&here.join("INBOX"))[0].contains("content of finance@contoso.example"));
    assert!(pulled(&here.join("Archive"))[0].contains("archive of finance@contoso.example"), "{said}");
    // A mail that is put into the copy does not get into the customer's mailbox.
    std::fs::write(here.join("INBOX/new/1.pushed"), "Subject: pushed\n\npushed\n").unwrap();
    let second = run().await;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("Permission denied") && said.contains("refuses to store"), "the push is refused: {said}");
    assert!(pulled(&place.join("mail/finance@contoso.example")).iter().all(|mail| !mail.contains("pushed")));
    gate.close().await;
    server.stop();
    lockbox.finish().await;
}

/// Contoso's mailboxes and Contoso's database, provisioned by the role `access`.
#[tokio::test(flavor = "multi_thread")]
async fn only_both_approvals_open_access_in_a_real_target_and_an_end_closes_it() {
    let lockbox = Lockbox::without_roles().await;
    let roles: Vec<RoleName> = ROLES.into_iter().filter(|role| *role != RoleName::Access).collect();
    lockbox.start(&roles).await;
    let gate = Gate::open(&lockbox).await;
    let folder = folder("kept-mail");
    let server = mail_server(&folder, &gate.address.to_string());
    let key_file = folder.join("key");
    std::fs::write(&key_file, "change-me\n").unwrap();
    let target = Target::Mailbox(MailboxSettings {
        entries: folder.join("entries"),
        doveadm: format!("http://127.0.0.1:{}", server.doveadm),
        key_file,
    });
    lockbox.keep_provisionings(build(&Config::from([("exchange_online".to_owned(), target)])).unwrap()).await;
    let robin = "robin*finance@contoso.example";
    let request = lockbox.submit(&submission()).await;
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "nobody has approved");
    lockbox.decide(contracts::Kind::VendorDecide, request, "morgan", Approve).await;
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "the customer has not approved");
    lockbox.decide(contracts::Kind::CustomerDecide, request, "alex", Approve).await;
    lockbox.until_provisioning(request, "active").await;
    let shown = access_token(&lockbox, request).await;
    let mut session = Imap::enter(server.imap, robin, &shown).await.unwrap();
    session.say("SELECT INBOX").await;
    assert!(session.say("FETCH 1 BODY.PEEK[TEXT]").await.contains("content of finance@contoso.example"));
    eventually("the access is in the audit log", async || {
        uses(&lockbox).await.iter().any(|(code, _, used)| code == "ok" && used["method"] == "LOGIN").then_some(())
    })
    .await;
    let started = std::time::Instant::now();
    end(&lockbox, request).await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "refused from the very end");
    eventually("the session is cut", async || (!session.say("NOOP").await.contains("x OK")).then_some(())).await;
    let provisioning = lockbox.until_provisioning(request, "revoked").await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(
        provisioning.sessions_cut >= 1
            && provisioning.revocation_ordered_at <= provisioning.cut_at
            && provisioning.cut_at <= provisioning.revoked_at,
        "{provisioning:?}"
    );
    gate.close().await;
    server.stop();
    lockbox.finish().await;
}
