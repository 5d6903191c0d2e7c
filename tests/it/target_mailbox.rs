//! Mailboxes of a Dovecot.

use std::time::Duration;

use connectors::{Config, Connector, Found, Mailbox, MailboxSettings, Mode, Order, Target, build};
use domain::Verdict::Approve;
use workers::RoleName;

use crate::gate::{Gate, end, granted, handle, uses};
use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::target_servers::{Imap, folder, mail_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_read_while_access_is_open_and_the_session_is_cut_at_its_end() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let folder = folder("mail");
    let server = mail_server(&folder, &gate.address.to_string());
    let doveadm = format!("http://127.0.0.1:{}", server.doveadm);
    let door = Mailbox::new(folder.join("entries"), &doveadm, "change-me").unwrap();
    let mut asked = submission();
    asked["duration_seconds"] = 600.into();
    let robin = "robin*finance@contoso.example";
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "before approval");
    let request = granted(&lockbox, &asked).await;
    let shown = handle(&lockbox, request).await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "the door is not open yet");
    let order = Order {
        grant: request,
        tenant: "contoso".into(),
        service: "exchange_online".into(),
        resource: "finance@contoso.example".into(),
        mode: Mode::ReadOnly,
        engineer: "robin".into(),
        until: lockbox.view(request).await.access_until.unwrap(),
    };
    door.open(&order).await.unwrap();
    let mut session = Imap::enter(server.imap, robin, &shown).await.unwrap();
    assert!(session.say("SELECT INBOX").await.contains("READ-ONLY"));
    assert!(session.say("FETCH 1 BODY.PEEK[TEXT]").await.contains("content of finance@contoso.example"));
    session.say("STORE 1 +FLAGS (\\Deleted)").await;
    session.say("EXPUNGE").await;
    assert!(session.say("CREATE more").await.contains("NOPERM"));
    assert!(session.say("COPY 1 INBOX").await.contains("NOPERM"));
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
    assert_eq!((door.probe(&order).await.unwrap(), door.marked().await.unwrap()), (Found::Open, vec![request]));
    end(&lockbox, request).await;
    let started = std::time::Instant::now();
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "the gate says no before the door is closed");
    door.close(&order).await.unwrap();
    assert!(door.terminate_sessions(&order).await.unwrap() >= 1);
    eventually("the session is cut", async || (!session.say("NOOP").await.contains("x OK")).then_some(())).await;
    eventually("the target reads back as closed", async || {
        (door.probe(&order).await.unwrap() == Found::Closed).then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    eventually("logins are on record", async || {
        let uses = uses(&lockbox).await;
        let is = |code: &str| uses.iter().any(|(known, _, data)| known == code && data["method"] == "LOGIN");
        (is("ok") && is("unknown_credential") && is("not_open")).then_some(())
    })
    .await;

    // Ends that hold by themselves: the entry's own for logins and for sessions, and a gate that is away.
    let next = granted(&lockbox, &asked).await;
    let shown = handle(&lockbox, next).await;
    let until = contracts::envelope::wall_clock() + chrono::TimeDelta::seconds(4);
    let brief = Order { grant: next, until, ..order.clone() };
    door.open(&brief).await.unwrap();
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
    door.open(&Order { grant: next, ..order }).await.unwrap();
    assert!(Imap::enter(server.imap, robin, &shown).await.is_ok());
    gate.close().await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "no gate, no mailbox");
    server.stop();
    lockbox.finish().await;
}

/// Contoso's mailboxes and Contoso's database, kept by the role that opens and closes doors.
#[tokio::test(flavor = "multi_thread")]
async fn two_yeses_alone_let_an_engineer_into_a_real_target_and_an_end_alone_throws_the_engineer_out() {
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
    lockbox.keep_doors(build(&Config::from([("exchange_online".to_owned(), target)])).unwrap()).await;
    let robin = "robin*finance@contoso.example";
    let request = lockbox.submit(&submission()).await;
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "nobody has said yes");
    lockbox.decide(contracts::Kind::ManagerDecide, request, "morgan", Approve).await;
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "the customer has not said yes");
    lockbox.decide(contracts::Kind::CustomerDecide, request, "alex", Approve).await;
    lockbox.until_door(request, "open").await;
    let shown = handle(&lockbox, request).await;
    let mut session = Imap::enter(server.imap, robin, &shown).await.unwrap();
    session.say("SELECT INBOX").await;
    assert!(session.say("FETCH 1 BODY.PEEK[TEXT]").await.contains("content of finance@contoso.example"));
    eventually("the use is on record", async || {
        uses(&lockbox).await.iter().any(|(code, _, used)| code == "ok" && used["method"] == "LOGIN").then_some(())
    })
    .await;
    let started = std::time::Instant::now();
    end(&lockbox, request).await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "refused from the very end");
    eventually("the session is cut", async || (!session.say("NOOP").await.contains("x OK")).then_some(())).await;
    let door = lockbox.until_door(request, "closed").await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(door.sessions_cut >= 1 && door.ordered_at <= door.cut_at && door.cut_at <= door.closed_at, "{door:?}");
    gate.close().await;
    server.stop();
    lockbox.finish().await;
}
