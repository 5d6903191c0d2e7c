//! A private Dovecot for tests of mailboxes, unpacked from Debian packages without root.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::debian::DOVECOT;
use crate::error::Error;
use crate::process::{RunAs, Running, command};
use crate::progress::Progress;
use crate::unpack::unpack;
use crate::{ports, ready};

/// A running Dovecot.
pub struct Dovecot {
    /// The port for IMAP.
    pub imap: u16,
    /// The port for `doveadm` over HTTP.
    pub doveadm: u16,
    running: Running,
}

/// Programs and libraries of Dovecot.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Folder with the same structure as `/`.
    pub root: PathBuf,
    /// `LD_LIBRARY_PATH` for its programs.
    pub libraries: String,
}

/// Unpacks Dovecot into a folder in `cache`, even when it is installed: an installed Dovecot reads its modules and starts
/// its programs only as root.
///
/// # Errors
/// When the packages cannot be downloaded or unpacked.
pub fn unpacked(cache: &Path, progress: &Progress) -> Result<Unpacked, Error> {
    let unpacked = unpack(DOVECOT, cache, progress)?;
    let statistics = unpacked.root.join("usr/lib/dovecot/modules/old-stats");
    let libraries = format!("{}:{}", unpacked.library_path(), statistics.display());
    Ok(Unpacked { root: unpacked.root, libraries })
}

impl Dovecot {
    /// Starts Dovecot in `folder`. `configure` returns the configuration for two free ports: IMAP and `doveadm`. Changes the
    /// owner of the folder's contents to the user of the servers.
    ///
    /// # Errors
    /// When Dovecot cannot be unpacked or rejects the configuration.
    pub fn start(
        folder: &Path,
        cache: &Path,
        configure: impl FnOnce(u16, u16) -> String,
        progress: &Progress,
    ) -> Result<Self, Error> {
        let run_as = RunAs::choose();
        let Unpacked { root, libraries } = unpacked(cache, progress)?;
        let libexec = root.join("usr/lib/dovecot");
        let choose = |name: &str| ports::choose(&folder.join(name)).map_err(Error::file("choosing a port in", folder));
        let (run, imap, doveadm) = (folder.join("run"), choose("imap-port")?, choose("doveadm-port")?);
        for place in [run.clone(), run.join("login")] {
            std::fs::create_dir_all(&place).map_err(Error::file("creating the folder", &place))?;
            drop(std::os::unix::fs::symlink(libexec.join("modules"), place.join("modules")));
        }
        let user = run_as.uid.map_or_else(nix::unistd::Uid::effective, |(uid, _)| nix::unistd::Uid::from_raw(uid));
        let user =
            nix::unistd::User::from_uid(user).ok().flatten().map_or_else(|| "nobody".to_owned(), |user| user.name);
        let group = nix::unistd::Gid::from_raw(
            run_as.uid.map_or_else(|| nix::unistd::Gid::effective().as_raw(), |(_, gid)| gid),
        );
        let group =
            nix::unistd::Group::from_gid(group).ok().flatten().map_or_else(|| "nogroup".to_owned(), |group| group.name);
        let text = format!(
            "base_dir = {run}\nstate_dir = {0}/state\nlog_path = {0}/dovecot.log\nlibexec_dir = {libexec}\n\
             mail_plugin_dir = {libexec}/modules\ndefault_internal_user = {user}\ndefault_internal_group = {group}\n\
             default_login_user = {user}\nmail_uid = {user}\nmail_gid = {group}\nfirst_valid_gid = 1\n\
             import_environment = TZ LD_LIBRARY_PATH\nservice anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n",
            folder.display(),
            run = run.display(),
            libexec = libexec.display(),
        );
        let text = format!("{}\n{text}", configure(imap, doveadm));
        let whole = folder.join("dovecot.conf");
        std::fs::write(&whole, text).map_err(Error::file("writing", &whole))?;
        run_as.own_all(folder)?;
        // `dovecot` itself does this when its programs are in their default folders.
        let mut server = command(&root.join("usr/bin/doveconf"), run_as);
        server.current_dir(folder).env("LD_LIBRARY_PATH", libraries);
        server.args(["-f", "service=master", "-m", "master", "-c"]).arg(&whole).arg("-e");
        server.arg(root.join("usr/sbin/dovecot")).arg("-F").arg("-c").arg(&whole);
        let log = folder.join("start.log");
        let mut running = Running::start(server, "Dovecot", &log)?;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", imap)).is_ok();
        ready::wait("Dovecot", &mut running, Duration::from_secs(30), &log, progress, listens)?;
        Ok(Self { imap, doveadm, running })
    }

    /// Stops it.
    pub fn stop(mut self) {
        self.running.end(Signal::SIGTERM, Duration::from_secs(5));
    }
}
