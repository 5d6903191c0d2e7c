//! Processor time per request with a small table and with a million requests in it.

use super::lifecycle::{ROLES, once, sink};
use super::rig::{Rig, number, print_metric};
use runtime::outcome::Failure;
use runtime::output::print_message;

/// Processor milliseconds per request: the median of five runs.
async fn cost(rig: &Rig, requests: usize) -> Result<f64, Failure> {
    let mut runs = Vec::new();
    for _ in 0..5 {
        let (_, used) = once(rig, requests).await?;
        runs.push(used.sum() * 1000.0 / number(requests));
    }
    runs.sort_by(f64::total_cmp);
    Ok(runs[2])
}

pub(super) async fn measure(rig: &Rig, requests: usize, rows: usize) -> Result<(), Failure> {
    let stop = rig.work(&ROLES).await?;
    sink(rig, &stop).await?;
    once(rig, requests).await?;
    let before = cost(rig, requests).await?;
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    rig.store.seed_requests(rows, print_message).await?;
    once(rig, requests).await?;
    let after = cost(rig, requests).await?;
    print_metric("growth: processor time per request, small table", &format!("{before:.2} ms"), "")?;
    print_metric(&format!("growth: the same with {rows} more requests"), &format!("{after:.2} ms"), "")?;
    print_metric("growth: ratio", &format!("{:.2}", after / before), "goal: 0.8 to 1.2")?;
    stop.cancel();
    Ok(())
}
