//! The monitor: takes checkpoints, verifies that the log only grows, judges the new entries, and raises alarms.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tlog::{Checkpoint, Error as LogError, Hash, Note, Signer, Verifier};

use crate::alarm::{Kind, Raised};
use crate::book::Book;
use crate::error::Error;
use crate::folder::{Folder, State};
use crate::judge::Judge;
use crate::options::{Clock, Options};
use crate::rejected::Rejected;
use crate::source::Source;
use crate::tree::Tree;
use crate::view::View;

mod cosign;
mod grow;

pub(crate) use cosign::Answer;

/// A monitor of one log.
pub struct Monitor {
    source: Source,
    folder: Folder,
    state: State,
    tree: Tree,
    judge: Judge,
    witness: Option<Signer>,
    silence: TimeDelta,
    clock: Clock,
    opened_at: DateTime<Utc>,
    book: Arc<Mutex<Book>>,
    view: Arc<Mutex<View>>,
}

impl Monitor {
    /// Opens the folder and judges the stored entries again, so that the monitor continues where it stopped.
    ///
    /// # Errors
    /// When the folder cannot be used, or no key of the log is known and the log cannot be read.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let source = Source::new(&options.log, options.token)?;
        let (folder, mut state) = Folder::open(&options.folder)?;
        let mut keys = options.keys;
        if keys.is_empty() {
            keys = state.keys.iter().filter_map(|key| key.parse().ok()).collect();
        }
        if keys.is_empty() {
            let served = source.keys().await?;
            let seen: Vec<Verifier> = served.lines().filter_map(|line| line.parse().ok()).collect();
            tracing::warn!(keys = served.trim(), "no key was given; trusting the keys that the log shows now");
            keys = seen;
        }
        keys.retain(|key| key.kind == tlog::Kind::Log);
        let origin = keys.first().map(|key| key.name.clone());
        let origin =
            origin.ok_or_else(|| Error::Setting("there is no key of the log; give one with --key".to_owned()))?;
        if !state.origin.is_empty() && state.origin != origin {
            return Err(Error::Setting(format!("the folder belongs to another log, {}", state.origin)));
        }
        state.origin.clone_from(&origin);
        state.keys = keys.iter().map(ToString::to_string).collect();
        let (mut tree, mut judge) = (Tree::default(), Judge::new(&origin, keys, options.trust));
        let mut stored = folder.entries(0, state.bytes)?;
        let mut raised = Vec::new();
        while let Some(entry) = stored.next()? {
            let (index, leaf) = (tree.size(), tlog::leaf_hash(&entry));
            tree.push(leaf);
            raised.extend(judge.add(index, &entry, leaf, None));
        }
        raised.extend(judge.settle());
        if tree.size() != state.size || (tree.size() > 0 && tree.root().to_string() != state.root) {
            return Err(Error::Damaged(options.folder.join("entries")));
        }
        let book = Arc::new(Mutex::new(Book::open(&options.folder)?));
        let opened_at = (options.clock)();
        let monitor = Self {
            source,
            folder,
            state,
            tree,
            judge,
            witness: options.witness,
            silence: options.silence,
            clock: options.clock,
            opened_at,
            book,
            view: Arc::default(),
        };
        monitor.raise(raised)?;
        monitor.folder.save(&monitor.state)?;
        monitor.show(None);
        Ok(monitor)
    }

    /// The alarms.
    pub fn book(&self) -> Arc<Mutex<Book>> {
        self.book.clone()
    }

    /// The state for people.
    pub fn view(&self) -> Arc<Mutex<View>> {
        self.view.clone()
    }

    /// The clock.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Longest time without a heartbeat and without access to the log.
    pub(crate) fn silence(&self) -> TimeDelta {
        self.silence
    }

    /// Origin of the log.
    pub fn origin(&self) -> &str {
        &self.state.origin
    }

    /// Whether consent was verified, and if not, why.
    ///
    /// # Errors
    /// The reason.
    pub fn consent(&self) -> Result<(), String> {
        self.judge.consent()
    }

    /// Reads the latest checkpoint and verifies everything new.
    ///
    /// # Errors
    /// When the folder cannot be written. What is wrong with the log is an alarm.
    pub async fn check(&mut self) -> Result<(), Error> {
        let failure = match self.source.checkpoint().await {
            Ok(text) => self.check_note(&text).await?,
            Err(fault) => Some(fault.to_string()),
        };
        let now = (self.clock)();
        let mut raised = self.judge.check_absences(now, self.silence, self.opened_at);
        let last = self.verified_at();
        if let Some(why) = &failure
            && now - last.unwrap_or(self.opened_at) > self.silence
        {
            // One that is missing because the log cannot be read is not another alarm.
            raised.retain(|one| one.kind != Kind::HeartbeatMissing);
            let since = last.map_or_else(|| "the start".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
            let message = format!("no checkpoint could be verified since {since}: {why}");
            raised.push(Raised::new(Kind::Unreachable, since, message));
        }
        self.raise(raised)?;
        self.show(failure);
        Ok(())
    }

    /// Verifies a checkpoint from the log. Returns why it could not be verified.
    async fn check_note(&mut self, text: &str) -> Result<Option<String>, Error> {
        let opened = self.open_note(text);
        let checkpoint = match opened {
            Ok(checkpoint) => checkpoint,
            Err(fault) => {
                let about = hex::encode(&Hash::of(text.as_bytes()).0[..8]);
                let message = format!("the checkpoint that the log shows is not accepted: {fault}");
                self.raise(vec![Raised::new(Kind::Signature, about, message.clone())])?;
                return Ok(Some(message));
            }
        };
        match self.accept(text, &checkpoint).await? {
            Ok(()) => Ok(None),
            Err(Rejected::Unreachable(why)) => Ok(Some(why)),
            Err(Rejected::Alarm(raised)) => {
                let message = raised.message.clone();
                self.raise(vec![*raised])?;
                Ok(Some(message))
            }
        }
    }

    /// Reads a note and checks its signature and its origin.
    fn open_note(&self, text: &str) -> Result<Checkpoint, LogError> {
        let note: Note = text.parse()?;
        let (checkpoint, _) = Checkpoint::open(&note, self.judge.keys())?;
        if checkpoint.origin == self.state.origin { Ok(checkpoint) } else { Err(LogError::NotSigned) }
    }

    fn verified_at(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.state.verified_at).ok().map(|at| at.to_utc())
    }

    fn raise(&self, raised: Vec<Raised>) -> Result<(), Error> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        for one in raised {
            let leaf = one.index.and_then(|index| self.tree.leaf(index));
            book.raise(one.alarm((self.clock)(), leaf))?;
        }
        Ok(())
    }

    fn show(&self, failure: Option<String>) {
        let view = View {
            origin: self.state.origin.clone(),
            size: self.tree.size(),
            root: self.tree.root().to_string(),
            verified_at: self.verified_at(),
            heartbeat_at: self.judge.heartbeat().map(|last| last.at),
            cosigned: self.state.cosigned,
            keys: self.judge.keys().iter().map(ToString::to_string).collect(),
            witness: self.witness.as_ref().map(|key| key.verifier().to_string()),
            authority: self.judge.authority(),
            failure,
        };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}
