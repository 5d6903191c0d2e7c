//! Child processes that end with this process: each has its own process group and is killed when dropped. Where `setpriv`
//! (util-linux) is available, the kernel also kills it when this process dies.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Gid, Pid, Uid, User, chown};

use crate::error::Error;

/// The user that servers run as. `initdb` refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunAs {
    pub uid: Option<(u32, u32)>,
}

impl RunAs {
    /// The current user, or an unprivileged user when the current user is root.
    pub fn choose() -> Self {
        if !Uid::effective().is_root() {
            return Self { uid: None };
        }
        let user = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        Self { uid: Some(user.map_or((65_534, 65_534), |user| (user.uid.as_raw(), user.gid.as_raw()))) }
    }

    /// Creates a folder that this user owns.
    pub fn own(self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::file("creating the folder", folder))?;
        if let Some((uid, gid)) = self.uid {
            chown(folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                .map_err(|fault| Error::file("changing the owner of the folder", folder)(fault.into()))?;
        }
        Ok(())
    }

    /// Changes the owner of a folder and its contents to this user.
    pub fn own_all(self, folder: &Path) -> Result<(), Error> {
        self.own(folder)?;
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                self.own_all(&path)?;
            } else if let Some((uid, gid)) = self.uid {
                std::os::unix::fs::lchown(&path, Some(uid), Some(gid))
                    .map_err(Error::file("changing the owner of", &path))?;
            }
        }
        Ok(())
    }

    /// Whether this user can access a folder: all parent folders must be executable for others.
    pub fn reaches(self, folder: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        self.uid.is_none()
            || folder
                .ancestors()
                .all(|above| std::fs::metadata(above).map_or(true, |found| found.permissions().mode() & 0o001 != 0))
    }
}

/// A running server process.
pub(crate) struct Running {
    child: Option<Child>,
    name: &'static str,
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The kernel kills a child when the thread that started it ends, not the process. Therefore one thread that never ends
/// starts all children.
fn spawn(command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                drop(answer.send(command.spawn()));
            }
        });
        sender
    });
    let (answer, child) = mpsc::channel();
    let gone = || std::io::Error::other("the thread that starts servers has ended");
    spawner.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

/// Finds a program in these folders, then in the folders of PATH.
pub(crate) fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "finding programs is what PATH is for")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched = folders.iter().cloned().chain(std::env::split_paths(&path));
    searched.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// A command that runs as this user.
pub(crate) fn command(program: &Path, run_as: RunAs) -> Command {
    let setpriv = find("setpriv", &[PathBuf::from("/usr/bin")]);
    let mut command = match setpriv {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.arg("--pdeathsig").arg("KILL");
            if let Some((uid, gid)) = run_as.uid {
                command.arg("--reuid").arg(uid.to_string()).arg("--regid").arg(gid.to_string()).arg("--clear-groups");
            }
            command.arg(program);
            command
        }
        None => {
            let mut command = Command::new(program);
            if let Some((uid, gid)) = run_as.uid {
                command.uid(uid).gid(gid);
            }
            command
        }
    };
    command.stdin(Stdio::null()).process_group(0);
    command
}

/// Runs a program to its end and returns its standard output.
pub(crate) fn run(mut command: Command, input: Option<&str>) -> Result<String, Error> {
    use std::io::Write;
    let shown = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let failed = |said: String| Error::Program { program: shown.clone(), said };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = spawn(command).map_err(|fault| failed(fault.to_string()))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes()).map_err(|fault| failed(fault.to_string()))?;
    }
    let done = child.wait_with_output().map_err(|fault| failed(fault.to_string()))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(failed(tail(&String::from_utf8_lossy(&said))))
}

impl Running {
    /// Starts a server and appends its output to `log`.
    pub fn start(mut command: Command, name: &'static str, log: &Path) -> Result<Self, Error> {
        let open = std::fs::OpenOptions::new().create(true).append(true).open(log);
        let out = open.map_err(Error::file("opening the log", log))?;
        let err = out.try_clone().map_err(Error::file("opening the log", log))?;
        command.stdout(out).stderr(err);
        let child =
            spawn(command).map_err(|fault| Error::Program { program: name.to_owned(), said: fault.to_string() })?;
        Ok(Self { child: Some(child), name })
    }

    /// Process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Sends a signal and waits for the end. Kills the process group after the limit.
    pub fn end(&mut self, signal: Signal, limit: Duration) {
        let Some(mut child) = self.child.take() else { return };
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
        _ = kill(pid, signal);
        let started = Instant::now();
        while started.elapsed() < limit {
            if !matches!(child.try_wait(), Ok(None)) {
                // Also kill its child processes.
                _ = killpg(pid, Signal::SIGKILL);
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        tracing::debug!(server = self.name, "the server did not stop in time and was killed");
        _ = killpg(pid, Signal::SIGKILL);
        drop(child.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Signal::SIGKILL, Duration::from_secs(5));
    }
}

/// Kills servers of an earlier run: processes whose command line contains the folder.
pub(crate) fn kill_leftovers(folder: &Path) {
    let Ok(processes) = std::fs::read_dir("/proc") else { return };
    let ours = folder.to_string_lossy().into_owned();
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line);
        let is_server = line.contains("postgres") || line.contains("beam");
        if is_server && line.contains(&ours) && pid != i32::try_from(std::process::id()).unwrap_or(0) {
            _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The last twenty lines.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
