//! A real Exim takes our mail, cannot deliver it, and returns it in its own words.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use workers::RoleName;

use crate::bounces::hand_in;
use crate::harness::{Lockbox, ROLES, eventually, packages, progress, submission};

/// Whom Exim runs as when the tests run as root: it refuses to be root.
const NOBODY_ID: u32 = 65_534;

/// An Exim without root on a free port; everything to the sender's address is kept in a file.
struct Exim {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Exim {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Takes every mail, returns what goes to strangers, and keeps what is returned.
fn configuration(folder: &Path, port: u16, (user, group): (u32, u32)) -> String {
    format!(
        "exim_path = {script}\nprimary_hostname = mx1.contoso.example\nspool_directory = {folder}/spool\n\
         log_file_path = {folder}/%slog\npid_file_path = {folder}/pid\nnotifier_socket =\ndaemon_smtp_ports = {port}\n\
         local_interfaces = 127.0.0.1\ntls_advertise_hosts =\nacl_smtp_rcpt = accept\nacl_smtp_data = accept\n\
         begin routers\nreturned:\n  driver = accept\n  domains = fabrikam.example\n  local_parts = lockbox\n  transport = keep\n\
         unknown:\n  driver = redirect\n  allow_fail\n  data = :fail: 550 5.1.1 User unknown\n\
         begin transports\nkeep:\n  driver = appendfile\n  file = {folder}/returned\n  user = {user}\n  group = {group}\n\
         begin retry\n* * F,2h,15m\n",
        script = folder.join("exim.sh").display(),
        folder = folder.display(),
    )
}

/// Starts one; nothing where it cannot be had offline.
fn start() -> Option<Exim> {
    let needed = ["exim4-daemon-light", "libnss-wrapper"];
    let program = servers::programs::or_skip(servers::programs::debian(&needed, "exim4", &packages(), &progress()))?;
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let at = |name: &str| folder.path().join(name);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let own = nix::unistd::geteuid().as_raw();
    let user = if own == 0 { NOBODY_ID } else { own };
    let group = if own == 0 { NOBODY_ID } else { nix::unistd::getegid().as_raw() };
    // Exim looks up a user of its own, which a machine without its package lacks.
    write(&at("passwd"), &format!("root:x:0:0::/:/bin/sh\nDebian-exim:x:{user}:{group}::/:/bin/sh\n"), 0o644);
    write(&at("group"), &format!("root:x:0:\nDebian-exim:x:{group}:\n"), 0o644);
    // Exim starts itself again with an environment of its own, so that what it needs stands in a script.
    let command = program.command();
    let mut script = "#!/bin/sh\n".to_owned();
    for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))) {
        script += &format!("export {name}='{value}'\n");
    }
    if let Some(root) = program.root() {
        let binary = Path::new(command.get_program());
        // Without the bit that makes it root, since then the system ignores where its libraries are.
        fs::set_permissions(binary, fs::Permissions::from_mode(0o755)).unwrap();
        let wrapper = Command::new("find").arg(root).args(["-name", "libnss_wrapper.so"]).output().unwrap();
        let wrapper = String::from_utf8(wrapper.stdout).unwrap();
        script += &format!("export LD_PRELOAD='{}'\n", wrapper.lines().next().unwrap());
        script += &format!("export NSS_WRAPPER_PASSWD='{}'\n", at("passwd").display());
        script += &format!("export NSS_WRAPPER_GROUP='{}'\n", at("group").display());
    }
    script += &format!("exec '{}' \"$@\"\n", command.get_program().to_str().unwrap());
    write(&at("exim.sh"), &script, 0o755);
    let configuration = configuration(folder.path(), port, (user, group));
    write(&at("exim.conf"), &configuration, 0o644);
    let log = fs::File::create(at("output")).unwrap();
    let mut daemon = Command::new(at("exim.sh"));
    daemon.arg("-C").arg(at("exim.conf")).args(["-bdf", "-odf"]).stdin(Stdio::null()).stderr(log);
    if own == 0 {
        daemon.uid(NOBODY_ID).gid(NOBODY_ID);
    }
    Some(Exim { process: daemon.spawn().unwrap(), port, folder })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_exim_returns_is_recorded() {
    let Some(exim) = start() else { return };
    let mut lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.settings.mail.url = format!("smtp://127.0.0.1:{}", exim.port);
    lockbox.start(&[RoleName::Mail]).await;
    let request = lockbox.submit(&submission()).await;
    let returned = eventually("Exim returns both mails to the managers", async || {
        let kept = fs::read_to_string(exim.folder.path().join("returned")).ok()?;
        let mails: Vec<String> =
            kept.split("\nFrom MAILER-DAEMON ").map(|mail| format!("From MAILER-DAEMON {mail}")).collect();
        (mails.len() == 2 && mails.iter().all(|mail| mail.trim_end().ends_with("--"))).then_some(mails)
    })
    .await;
    for mail in &returned {
        let (code, text) = hand_in(&lockbox, mail.trim_start_matches("From MAILER-DAEMON From"));
        assert!(code == 0 && text.contains("recorded: the mail to"), "{code}: {text}\n{mail}");
    }
    let failed = lockbox.event(request, "notification.failed").await;
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("mx1.contoso.example") && error.contains("fabrikam.example"), "{error}");
    lockbox.finish().await;
}
