//! The alarms that were raised, in a file: each once, with the channels through which it was sent.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::alarm::{Alarm, Kind};
use crate::error::Error;

/// Name of the file in its folder.
const NAME: &str = "alarms.jsonl";

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// An alarm was raised.
    Alarm(Box<Alarm>),
    /// An alarm was sent.
    Sent { channel: String, alarm: String },
}

/// Every alarm.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    file: File,
    alarms: Vec<Alarm>,
    known: HashSet<String>,
    sent: HashSet<(String, String)>,
}

/// Reads the alarms in a folder, oldest first.
///
/// # Errors
/// When the file cannot be read.
pub fn read_alarms(folder: &Path) -> Result<Vec<Alarm>, Error> {
    let mut alarms = Vec::new();
    for line in lines(&folder.join(NAME))? {
        if let Line::Alarm(alarm) = line {
            alarms.push(*alarm);
        }
    }
    Ok(alarms)
}

fn lines(path: &Path) -> Result<Vec<Line>, Error> {
    match std::fs::read_to_string(path) {
        // A last line that was cut by a power failure was never acted upon.
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

impl Book {
    /// Opens the file in this folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.map_err(|source| Error::File { path: path.clone(), source })?;
        let (mut alarms, mut sent) = (Vec::new(), HashSet::new());
        for line in lines(&path)? {
            match line {
                Line::Alarm(alarm) => alarms.push(*alarm),
                Line::Sent { channel, alarm } => drop(sent.insert((channel, alarm))),
            }
        }
        let known = alarms.iter().map(|alarm: &Alarm| alarm.id.clone()).collect();
        Ok(Self { path, file, alarms, known, sent })
    }

    /// Stores an alarm and logs it, unless it was raised before. Returns whether it is new.
    pub(crate) fn raise(&mut self, alarm: Alarm) -> Result<bool, Error> {
        if !self.known.insert(alarm.id.clone()) {
            return Ok(false);
        }
        self.write(&Line::Alarm(Box::new(alarm.clone())))?;
        let (kind, index, leaf) = (alarm.kind.name(), alarm.index, alarm.leaf.as_deref());
        if alarm.kind.is_information() {
            tracing::warn!(
                kind,
                index,
                leaf,
                request = alarm.request,
                "INFORMATION: {}: {}",
                alarm.title,
                alarm.message
            );
        } else {
            tracing::error!(kind, index, leaf, request = alarm.request, "ALARM: {}: {}", alarm.title, alarm.message);
        }
        self.alarms.push(alarm);
        Ok(true)
    }

    /// Every alarm, oldest first.
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// Number of alarms of each kind.
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        let mut counts = BTreeMap::new();
        for alarm in &self.alarms {
            *counts.entry(alarm.kind).or_default() += 1;
        }
        counts
    }

    /// Alarms that were not sent through this channel.
    pub(crate) fn unsent(&self, channel: &str) -> Vec<Alarm> {
        let is_sent = |alarm: &Alarm| self.sent.contains(&(channel.to_owned(), alarm.id.clone()));
        self.alarms.iter().filter(|alarm| !is_sent(alarm)).cloned().collect()
    }

    /// Stores that alarms were sent through this channel.
    pub(crate) fn mark_sent(&mut self, channel: &str, alarms: &[Alarm]) -> Result<(), Error> {
        for alarm in alarms {
            let line = Line::Sent { channel: channel.to_owned(), alarm: alarm.id.clone() };
            self.write(&line)?;
            self.sent.insert((channel.to_owned(), alarm.id.clone()));
        }
        Ok(())
    }

    fn write(&mut self, line: &Line) -> Result<(), Error> {
        let at = |source| Error::File { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|fault| at(io::Error::other(fault)))?;
        text.push(b'\n');
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(at)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::alarm::Raised;

    #[test]
    fn an_alarm_is_raised_and_sent_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let alarm = || Raised::new(Kind::Fork, "7", "two logs").alarm(DateTime::UNIX_EPOCH, None);
        let mut book = Book::open(folder.path()).unwrap();
        assert!(book.raise(alarm()).unwrap());
        assert!(!book.raise(alarm()).unwrap());
        book.mark_sent("mail", &[alarm()]).unwrap();
        drop(book);
        let mut book = Book::open(folder.path()).unwrap();
        assert!(!book.raise(alarm()).unwrap());
        assert_eq!((book.unsent("mail").len(), book.unsent("webhook").len()), (0, 1));
        assert_eq!(book.counts(), BTreeMap::from([(Kind::Fork, 1)]));
        assert_eq!(read_alarms(folder.path()).unwrap(), [alarm()]);
    }
}
