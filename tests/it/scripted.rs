//! A target in memory whose calls can be set to fail, to hang or to return a false result.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use connectors::{Built, Connector, Fault, Found, Order};
use tokio::sync::Notify;
use uuid::Uuid;

/// How a call behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// It works.
    #[default]
    Works,
    /// It fails and does nothing.
    Fails,
    /// It never answers and does nothing.
    Hangs,
    /// It returns success and does nothing.
    Lies,
    /// It works and never answers.
    WorksAndHangs,
}

#[derive(Default)]
struct Target {
    open: BTreeMap<Uuid, Order>,
    sessions: BTreeMap<Uuid, u64>,
    manners: BTreeMap<&'static str, Manner>,
    calls: Vec<(&'static str, Uuid)>,
}

/// The target.
#[derive(Clone, Default)]
pub struct Scripted {
    target: Arc<Mutex<Target>>,
    /// Calls to open wait here while they are held.
    held: Arc<Mutex<Option<Arc<Notify>>>>,
}

impl Scripted {
    /// As the connector of a service.
    pub fn built(&self, service: &str) -> Built {
        Built { service: service.into(), kind: "scripted", connector: Arc::new(self.clone()) }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Target) -> T) -> T {
        look(&mut self.target.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the behavior of a call.
    pub fn will(&self, call: &'static str, manner: Manner) {
        self.with(|target| target.manners.insert(call, manner));
    }

    /// The order that a grant is open for, if it is open.
    pub fn open_for(&self, grant: Uuid) -> Option<Order> {
        self.with(|target| target.open.get(&grant).cloned())
    }

    /// How often a call was made.
    pub fn calls(&self, call: &str, grant: Uuid) -> usize {
        self.with(|target| target.calls.iter().filter(|made| made.0 == call && made.1 == grant).count())
    }

    /// Adds running sessions.
    pub fn begin_sessions(&self, grant: Uuid, count: u64) {
        self.with(|target| target.sessions.insert(grant, count));
    }

    /// Opens it without Lockbox.
    pub fn open_by_hand(&self, order: Order) {
        self.with(|target| target.open.insert(order.grant, order));
    }

    /// Closes it without Lockbox.
    pub fn close_by_hand(&self, grant: Uuid) {
        self.with(|target| target.open.remove(&grant));
    }

    /// The next calls to open wait until the returned handle is notified.
    pub fn hold_opening(&self) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        *self.held.lock().unwrap() = Some(notify.clone());
        notify
    }

    /// Runs one call with its configured behavior.
    async fn call<T>(
        &self,
        name: &'static str,
        grant: Uuid,
        lie: T,
        works: impl FnOnce(&mut Target) -> T,
    ) -> Result<T, Fault> {
        let manner = self.with(|target| {
            target.calls.push((name, grant));
            target.manners.get(name).copied().unwrap_or_default()
        });
        match manner {
            Manner::Works => Ok(self.with(works)),
            Manner::Fails => Err(Fault::Transient(format!("{name} is down"))),
            Manner::Lies => Ok(lie),
            Manner::Hangs => std::future::pending().await,
            Manner::WorksAndHangs => {
                self.with(works);
                std::future::pending().await
            }
        }
    }
}

#[async_trait]
impl Connector for Scripted {
    async fn open(&self, order: &Order) -> Result<(), Fault> {
        let held = self.held.lock().unwrap().clone();
        if let Some(held) = held {
            self.with(|target| target.calls.push(("open-held", order.grant)));
            held.notified().await;
        }
        self.call("open", order.grant, (), |target| drop(target.open.insert(order.grant, order.clone()))).await
    }

    async fn close(&self, order: &Order) -> Result<(), Fault> {
        self.call("close", order.grant, (), |target| drop(target.open.remove(&order.grant))).await
    }

    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault> {
        self.call("cut", order.grant, 0, |target| target.sessions.remove(&order.grant).unwrap_or(0)).await
    }

    async fn probe(&self, order: &Order) -> Result<Found, Fault> {
        let found = |target: &mut Target| {
            let session = target.sessions.contains_key(&order.grant);
            if target.open.contains_key(&order.grant) || session { Found::Open } else { Found::Closed }
        };
        self.call("probe", order.grant, Found::Open, found).await
    }

    async fn marked(&self) -> Result<Vec<Uuid>, Fault> {
        self.call("marked", Uuid::nil(), Vec::new(), |target| target.open.keys().copied().collect()).await
    }
}
