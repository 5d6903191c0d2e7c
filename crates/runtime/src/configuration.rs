//! Settings, read once into types: options override the environment, which overrides the file. Only this file reads the
//! environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use broker::Names;
use clap::{Args, ValueEnum};
use workers::mail::MailSettings;
use workers::trust::TrustSettings;
use workers::webhooks::Inside;

use crate::outcome::Failure;

mod file;

/// Settings of every command. Each can also be in a YAML file (`--config`) under its long name. `lockbox help settings` and
/// `docs/reference/settings.md` show them.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// YAML file with settings. Options and the environment override it.
    #[arg(long, env = "LOCKBOX_CONFIG", global = true, hide = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// URL of the database [default: postgres://postgres@127.0.0.1:5432/lockbox].
    #[arg(
        long,
        env = "LOCKBOX_DATABASE_URL",
        global = true,
        hide = true,
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Settings"
    )]
    pub database_url: Option<String>,
    /// File with the URL of the database.
    #[arg(
        long,
        env = "LOCKBOX_DATABASE_URL_FILE",
        global = true,
        hide = true,
        value_name = "FILE",
        help_heading = "Settings"
    )]
    pub database_url_file: Option<PathBuf>,
    /// URL of the broker [default: amqp://guest:guest@127.0.0.1:5672/%2f].
    #[arg(
        long,
        env = "LOCKBOX_AMQP_URL",
        global = true,
        hide = true,
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Settings"
    )]
    pub amqp_url: Option<String>,
    /// File with the URL of the broker.
    #[arg(
        long,
        env = "LOCKBOX_AMQP_URL_FILE",
        global = true,
        hide = true,
        value_name = "FILE",
        help_heading = "Settings"
    )]
    pub amqp_url_file: Option<PathBuf>,
    /// Prefix of the names of exchanges and queues [default: lockbox].
    #[arg(long, env = "LOCKBOX_PREFIX", global = true, hide = true, value_name = "NAME", help_heading = "Settings")]
    pub prefix: Option<String>,
    /// URL of the mail server [default: smtp://127.0.0.1:25].
    #[arg(
        long,
        env = "LOCKBOX_SMTP_URL",
        global = true,
        hide = true,
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Settings"
    )]
    pub smtp_url: Option<String>,
    /// File with the URL of the mail server.
    #[arg(
        long,
        env = "LOCKBOX_SMTP_URL_FILE",
        global = true,
        hide = true,
        value_name = "FILE",
        help_heading = "Settings"
    )]
    pub smtp_url_file: Option<PathBuf>,
    /// Sender of mails [default: Lockbox <lockbox@localhost.localdomain>].
    #[arg(
        long,
        env = "LOCKBOX_MAIL_FROM",
        global = true,
        hide = true,
        value_name = "ADDRESS",
        help_heading = "Settings"
    )]
    pub mail_from: Option<String>,
    /// Largest number of mails to one address in an hour; more mails wait [default: 300].
    #[arg(
        long,
        env = "LOCKBOX_MAIL_CAP",
        global = true,
        hide = true,
        value_name = "NUMBER",
        help_heading = "Settings"
    )]
    pub mail_cap: Option<String>,
    /// URL of the portal, for commands of people and for links in mails [default: http://localhost:8080].
    #[arg(long, env = "LOCKBOX_PORTAL_URL", global = true, hide = true, value_name = "URL", help_heading = "Settings")]
    pub portal_url: Option<String>,
    /// API token for the commands of people, such as `lockbox request`.
    #[arg(
        long,
        env = "LOCKBOX_TOKEN",
        global = true,
        hide = true,
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Settings"
    )]
    pub token: Option<String>,
    /// File with the API token.
    #[arg(
        long,
        env = "LOCKBOX_TOKEN_FILE",
        global = true,
        hide = true,
        value_name = "FILE",
        help_heading = "Settings"
    )]
    pub token_file: Option<PathBuf>,
    /// Internal hosts that webhooks may reach, also without TLS, separated by commas [default: none].
    #[arg(
        long,
        env = "LOCKBOX_WEBHOOK_INSIDE",
        global = true,
        hide = true,
        value_name = "HOSTS",
        help_heading = "Settings"
    )]
    pub webhook_inside: Option<String>,
    /// Folder with the keys and the state of the signer of the audit log [default: lockbox-audit].
    #[arg(
        long,
        env = "LOCKBOX_AUDIT_FOLDER",
        global = true,
        hide = true,
        value_name = "FOLDER",
        help_heading = "Settings"
    )]
    pub audit_folder: Option<PathBuf>,
    /// First part of the names of audit logs; existing logs keep their names [default: host and port of the portal].
    #[arg(
        long,
        env = "LOCKBOX_AUDIT_AUTHORITY",
        global = true,
        hide = true,
        value_name = "NAME",
        help_heading = "Settings"
    )]
    pub audit_authority: Option<String>,
    /// Folder with the keys and authorities that this process trusts, for the gate and the role access [default: lockbox-trust].
    #[arg(
        long,
        env = "LOCKBOX_TRUST_FOLDER",
        global = true,
        hide = true,
        value_name = "FOLDER",
        help_heading = "Settings"
    )]
    pub trust_folder: Option<PathBuf>,
    /// Whether access opens only with verified consent, also for tenants without an authority: true or false [default: false].
    #[arg(
        long,
        env = "LOCKBOX_REQUIRE_CONSENT",
        global = true,
        hide = true,
        value_name = "BOOLEAN",
        num_args = 0..=1,
        default_missing_value = "true",
        help_heading = "Settings"
    )]
    pub require_consent: Option<String>,
    /// Address for metrics and health of a worker, the gate or the portal; port 0 uses a free port [default: 127.0.0.1:9464].
    #[arg(
        long,
        env = "LOCKBOX_ADMIN_LISTEN",
        global = true,
        hide = true,
        value_name = "ADDRESS",
        help_heading = "Settings"
    )]
    pub admin_listen: Option<String>,
    /// Database connections of a process [default: 4].
    #[arg(
        long,
        env = "LOCKBOX_DATABASE_CONNECTIONS",
        global = true,
        hide = true,
        value_name = "NUMBER",
        help_heading = "Settings"
    )]
    pub database_connections: Option<String>,
    /// Log filter, such as `info` or `lockbox=debug,warn` [default: info].
    #[arg(long, env = "LOCKBOX_LOG", global = true, hide = true, value_name = "FILTER", help_heading = "Settings")]
    pub log: Option<String>,
    /// Log format [default: text].
    #[arg(long, env = "LOCKBOX_LOG_FORMAT", global = true, hide = true, value_enum, help_heading = "Settings")]
    pub log_format: Option<LogFormat>,
}

/// Format of logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object in each line.
    Json,
}

/// The audit log.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Folder with the keys and the state of the signer.
    pub folder: PathBuf,
    /// First part of the names of logs.
    pub authority: String,
    /// Whether the role `audit` only records events, and `sequencer` and `signer` run elsewhere.
    pub append_only: bool,
}

/// Complete and valid settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Database URL.
    pub database_url: String,
    /// Broker URL.
    pub amqp_url: String,
    /// Names on the broker.
    pub names: Names,
    /// Mail.
    pub mail: MailSettings,
    /// API token for the portal.
    pub token: Option<String>,
    /// Internal hosts that webhooks may reach.
    pub webhook_inside: Inside,
    /// The audit log.
    pub audit: AuditSettings,
    /// What this process trusts.
    pub trust: TrustSettings,
    /// Admin endpoints.
    pub admin_listen: SocketAddr,
    /// Connections.
    pub database_connections: u32,
    /// Log filter.
    pub log: String,
    /// Log format.
    pub log_format: LogFormat,
    /// Connector of each service; only in the settings file.
    pub targets: connectors::Config,
    /// Identity providers; only in the settings file.
    pub sign_in: Vec<crate::sign_in::Entry>,
}

struct Reader {
    file: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Reader {
    fn value(&self, name: &str, given: Option<&String>, default: &str) -> String {
        given.or_else(|| self.file.get(name)).map_or_else(|| default.to_owned(), Clone::clone)
    }

    /// A secret setting: its value or a file with its value, not both.
    fn secret(&mut self, name: &str, given: Option<&String>, path: Option<&PathBuf>, default: &str) -> String {
        let file_name = format!("{name}-file");
        let path = path.cloned().or_else(|| self.file.get(&file_name).map(PathBuf::from));
        match (given, path) {
            (Some(_), Some(_)) => {
                self.faults.push(format!("{name} and {file_name} are both set; set one of them"));
                default.to_owned()
            }
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
                Err(error) => {
                    self.faults.push(format!("{file_name}: {} cannot be read: {error}", path.display()));
                    default.to_owned()
                }
            },
            (given, None) => self.value(name, given, default),
        }
    }
}

impl Flags {
    fn mail(&self, reader: &mut Reader, url: String) -> MailSettings {
        let cap = reader.value("mail-cap", self.mail_cap.as_ref(), "300");
        let cap = cap.parse().ok().filter(|cap| *cap >= 1).unwrap_or_else(|| {
            reader.faults.push(format!("mail-cap: {cap:?} is not a number of mails; use 1 or more"));
            300
        });
        MailSettings {
            cap,
            url,
            from: reader.value("mail-from", self.mail_from.as_ref(), "Lockbox <lockbox@localhost.localdomain>"),
            portal_url: reader.value("portal-url", self.portal_url.as_ref(), "http://localhost:8080"),
        }
    }

    fn log_format(&self, reader: &mut Reader) -> LogFormat {
        match (self.log_format, reader.file.get("log-format").map(String::as_str)) {
            (Some(format), _) => format,
            (None, Some("json")) => LogFormat::Json,
            (None, None | Some("text")) => LogFormat::Text,
            (None, Some(other)) => {
                reader.faults.push(format!("log-format: {other:?} is not valid; use text or json"));
                LogFormat::Text
            }
        }
    }

    /// Combines the sources and checks the settings.
    ///
    /// # Errors
    /// [`Failure::Usage`] with every fault.
    pub fn resolve(&self) -> Result<Settings, Failure> {
        let mut faults = Vec::new();
        let file = self.config.as_deref().map(|path| file::read(path, &mut faults)).unwrap_or_default();
        let file::Written { values: file, targets, sign_in } = file;
        let mut reader = Reader { file, faults };
        let database_url = reader.secret(
            "database-url",
            self.database_url.as_ref(),
            self.database_url_file.as_ref(),
            "postgres://postgres@127.0.0.1:5432/lockbox",
        );
        let amqp_url = reader.secret(
            "amqp-url",
            self.amqp_url.as_ref(),
            self.amqp_url_file.as_ref(),
            "amqp://guest:guest@127.0.0.1:5672/%2f",
        );
        let smtp_url =
            reader.secret("smtp-url", self.smtp_url.as_ref(), self.smtp_url_file.as_ref(), "smtp://127.0.0.1:25");
        for (name, value, scheme) in [
            ("database-url", &database_url, "postgres"),
            ("amqp-url", &amqp_url, "amqp"),
            ("smtp-url", &smtp_url, "smtp"),
        ] {
            if !url::Url::parse(value).is_ok_and(|url| url.scheme().starts_with(scheme)) {
                reader.faults.push(format!("{name}: must be a URL that begins with {scheme}"));
            }
        }
        let prefix = reader.value("prefix", self.prefix.as_ref(), "lockbox");
        let names = Names::new(&prefix).map_err(|fault| reader.faults.push(format!("prefix: {fault}"))).ok();
        let listen = reader.value("admin-listen", self.admin_listen.as_ref(), "127.0.0.1:9464");
        let admin_listen: Option<SocketAddr> = listen
            .parse()
            .map_err(|_| {
                reader
                    .faults
                    .push(format!("admin-listen: {listen:?} is not an address with a port, such as 127.0.0.1:9464"))
            })
            .ok();
        let connections = reader.value("database-connections", self.database_connections.as_ref(), "4");
        let database_connections =
            connections.parse().ok().filter(|count| (1..=1000).contains(count)).unwrap_or_else(|| {
                reader.faults.push(format!("database-connections: {connections:?} is not between 1 and 1000"));
                4
            });
        let log_format = self.log_format(&mut reader);
        let mail = self.mail(&mut reader, smtp_url);
        let token = reader.secret("token", self.token.as_ref(), self.token_file.as_ref(), "");
        let webhook_inside = Inside::parse(&reader.value("webhook-inside", self.webhook_inside.as_ref(), ""));
        let audit = self.audit(&mut reader, &mail.portal_url);
        let trust = self.trust(&mut reader);
        let log = reader.value("log", self.log.as_ref(), "info");
        match (names, admin_listen, reader.faults.is_empty()) {
            (Some(names), Some(admin_listen), true) => Ok(Settings {
                database_url,
                amqp_url,
                names,
                mail,
                token: Some(token).filter(|token| !token.is_empty()),
                webhook_inside,
                audit,
                trust,
                admin_listen,
                database_connections,
                log,
                log_format,
                targets,
                sign_in,
            }),
            _ => Err(Failure::Usage(format!("the settings are not valid:\n  {}", reader.faults.join("\n  ")))),
        }
    }
}

impl Flags {
    fn audit(&self, reader: &mut Reader, portal_url: &str) -> AuditSettings {
        let host = url::Url::parse(portal_url).ok().and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
        });
        let authority = reader.value("audit-authority", self.audit_authority.as_ref(), &host.unwrap_or_default());
        if !contracts::entry::is_authority(&authority) {
            reader.faults.push(format!("audit-authority: {authority:?} may only contain a-z, 0-9, '.', '-' and ':'"));
        }
        let folder = self.audit_folder.clone();
        let folder = folder.or_else(|| reader.file.get("audit-folder").map(PathBuf::from));
        let folder = folder.unwrap_or_else(|| PathBuf::from("lockbox-audit"));
        AuditSettings { folder, authority, append_only: false }
    }

    fn trust(&self, reader: &mut Reader) -> TrustSettings {
        let folder = self.trust_folder.clone().or_else(|| reader.file.get("trust-folder").map(PathBuf::from));
        let required = reader.value("require-consent", self.require_consent.as_ref(), "false");
        let is_required = required.parse().unwrap_or_else(|_| {
            reader.faults.push(format!("require-consent: {required:?} is not valid; use true or false"));
            true
        });
        TrustSettings { folder: folder.unwrap_or_else(|| PathBuf::from("lockbox-trust")), is_required }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_reported_together() {
        let flags = Flags {
            database_url: Some("mysql://x".into()),
            amqp_url: Some("nonsense".into()),
            prefix: Some("Ä".into()),
            admin_listen: Some("here".into()),
            database_connections: Some("0".into()),
            ..Flags::default()
        };
        let text = flags.resolve().unwrap_err().to_string();
        for part in ["database-url", "amqp-url", "prefix", "admin-listen", "database-connections"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn an_option_overrides_the_file_and_a_secret_has_one_source() {
        let folder = tempfile::tempdir().unwrap();
        let (config, secret) = (folder.path().join("lockbox.yaml"), folder.path().join("amqp"));
        std::fs::write(&config, "prefix: fromfile\nlog: warn\ndatabase-connections: 9\n").unwrap();
        std::fs::write(&secret, "amqp://u:p@h/v\n").unwrap();
        let flags = Flags {
            config: Some(config),
            prefix: Some("fromflag".into()),
            amqp_url_file: Some(secret),
            ..Flags::default()
        };
        let settings = flags.resolve().unwrap();
        assert_eq!(settings.names.prefix(), "fromflag");
        assert_eq!((settings.log.as_str(), settings.database_connections), ("warn", 9));
        assert_eq!(settings.amqp_url, "amqp://u:p@h/v");
        let both = Flags { amqp_url: Some("amqp://x".into()), ..flags };
        assert!(both.resolve().unwrap_err().to_string().contains("set one of them"));
    }
}
