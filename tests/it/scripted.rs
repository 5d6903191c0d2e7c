//! A target in memory whose calls can be told to fail, hang or lie.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use connectors::{Built, Connector, Fault, Found, Order};
use tokio::sync::Notify;
use uuid::Uuid;

/// How a call behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// It does what it says.
    #[default]
    Works,
    /// It fails and does nothing.
    Fails,
    /// It never answers and does nothing.
    Hangs,
    /// It says that it did and did not.
    Lies,
    /// It does it and never answers.
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

    /// From now on this call behaves so.
    pub fn will(&self, call: &'static str, manner: Manner) {
        self.with(|target| target.manners.insert(call, manner));
    }

    /// What a grant is open for, if it is.
    pub fn open_for(&self, grant: Uuid) -> Option<Order> {
        self.with(|target| target.open.get(&grant).cloned())
    }

    /// How often a call came.
    pub fn calls(&self, call: &str, grant: Uuid) -> usize {
        self.with(|target| target.calls.iter().filter(|made| made.0 == call && made.1 == grant).count())
    }

    /// Somebody works with it.
    pub fn begin_sessions(&self, grant: Uuid, count: u64) {
        self.with(|target| target.sessions.insert(grant, count));
    }

    /// Opens it past Lockbox.
    pub fn open_by_hand(&self, order: Order) {
        self.with(|target| target.open.insert(order.grant, order));
    }

    /// Closes it past Lockbox.
    pub fn close_by_hand(&self, grant: Uuid) {
        self.with(|target| target.open.remove(&grant));
    }

    /// The next calls to open wait until they are let go.
    pub fn hold_opening(&self) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        *self.held.lock().unwrap() = Some(notify.clone());
        notify
    }

    /// One call: what it does, unless it is told otherwise.
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
