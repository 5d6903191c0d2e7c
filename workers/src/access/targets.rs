//! The target systems of a deployment.

use std::collections::HashMap;
use std::sync::Arc;

use connectors::{Built, Connector};

/// The connectors of this deployment, by service.
#[derive(Clone, Default)]
pub struct Provisionings {
    by_service: Arc<HashMap<String, Built>>,
}

impl Provisionings {
    /// The services behind these connectors. Every other service is provisioned by the gate alone.
    pub fn behind(connectors: Vec<Built>) -> Self {
        let by_service = connectors.into_iter().map(|built| (built.service.clone(), built)).collect();
        Self { by_service: Arc::new(by_service) }
    }

    /// Kind of a service's connector; `gate` when it has none.
    pub(super) fn kind(&self, service: &str) -> &'static str {
        self.by_service.get(service).map_or(store::provisionings::GATE, |built| built.kind)
    }

    /// The connector of a service, if it still has this kind.
    pub(super) fn connector(&self, service: &str, kind: &str) -> Option<Arc<dyn Connector>> {
        self.by_service.get(service).filter(|built| built.kind == kind).map(|built| built.connector.clone())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Built> {
        self.by_service.values()
    }
}
