//! `lockbox topology depths --watch`: the depth of each queue over time, as a graph in the terminal. After a worker is added,
//! the graph of its queue falls.

use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal;
use std::time::Duration;

use broker::{Link, topology};
use serde_json::json;

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, line};

/// Readings that a graph shows.
const WIDTH: usize = 60;
/// Bars from the smallest to the largest depth.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last readings of a queue.
#[derive(Default)]
struct History {
    ready: VecDeque<u32>,
    consumers: u32,
}

impl History {
    fn add(&mut self, ready: u32, consumers: u32) {
        if self.ready.len() == WIDTH {
            self.ready.pop_front();
        }
        self.ready.push_back(ready);
        self.consumers = consumers;
    }

    fn is_shown(&self) -> bool {
        self.consumers > 0 || self.ready.iter().any(|ready| *ready > 0)
    }

    /// One bar for each reading, scaled to the largest depth; a dot is an empty queue.
    fn graph(&self) -> String {
        let largest = self.ready.iter().copied().max().unwrap_or_default().max(1);
        let last = BARS.len() - 1;
        let bar = |ready: &u32| match *ready {
            0 => '·',
            ready => BARS[(ready as usize * last).div_ceil(largest as usize).min(last)],
        };
        let missing = WIDTH - self.ready.len();
        std::iter::repeat_n(' ', missing).chain(self.ready.iter().map(bar)).collect()
    }
}

/// One row for each queue: consumers, depth, largest depth and graph. A queue without consumers, such as a delay level, is
/// left out while it is empty.
fn rows(histories: &BTreeMap<String, History>) -> Vec<String> {
    let shown: Vec<_> = histories.iter().filter(|(_, history)| history.is_shown()).collect();
    let names = shown.iter().map(|(queue, _)| queue.chars().count());
    let wide = names.max().unwrap_or_default().max("queue".len());
    let mut rows =
        vec![format!("{:<wide$} {:>9} {:>8} {:>8}  the last {WIDTH} readings", "queue", "consumers", "ready", "most")];
    for (queue, history) in shown {
        let now = history.ready.back().copied().unwrap_or_default();
        let most = history.ready.iter().copied().max().unwrap_or_default();
        rows.push(format!("{queue:<wide$} {:>9} {now:>8} {most:>8}  {}", history.consumers, history.graph()));
    }
    rows
}

/// Prints the depths until the process is asked to stop. On a terminal the rows are updated in place; elsewhere each reading
/// is printed below the one before. With JSON each reading is one line.
pub(super) async fn watch(settings: &Settings, format: Format, every: Duration) -> Result<(), Failure> {
    let link: Link = runtime::connect::open_link(settings).await?;
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    let in_place = std::io::stdout().is_terminal();
    let mut drawn: usize = 0;
    let mut stop = std::pin::pin!(runtime::serve::stop_requested());
    loop {
        let depths = topology::depths(&link, &settings.names).await?;
        if format == Format::Table {
            for depth in &depths {
                histories.entry(depth.queue.clone()).or_default().add(depth.ready, depth.consumers);
            }
            let rows = rows(&histories);
            // Move up to the first row, and clear each row to its end.
            let up = if in_place && drawn > 0 { format!("\u{1b}[{drawn}A") } else { String::new() };
            let clear = if in_place { "\u{1b}[K" } else { "" };
            // Clear the rows below: there may be fewer rows than before.
            let end = if in_place { "\u{1b}[J" } else { "" };
            line(&format!("{up}{}{clear}{end}", rows.join(&format!("{clear}\n"))))?;
            drawn = rows.len();
        } else {
            let queues: Vec<_> = depths
                .iter()
                .map(|depth| json!({"queue": depth.queue, "ready": depth.ready, "consumers": depth.consumers}))
                .collect();
            line(&json!({"at": contracts::envelope::wall_clock().to_rfc3339(), "queues": queues}).to_string())?;
        }
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(every) => {}
        }
    }
    link.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_scaled_to_its_largest_reading_and_shows_an_empty_queue_as_a_dot() {
        let mut history = History::default();
        for ready in [0, 1, 50, 100, 0] {
            history.add(ready, 2);
        }
        assert_eq!(history.graph().trim_start(), "·▂▅█·");
        assert_eq!(history.graph().chars().count(), WIDTH);
    }

    #[test]
    fn only_the_last_readings_are_stored() {
        let mut history = History::default();
        history.add(9_000, 1);
        for _ in 0..WIDTH {
            history.add(3, 1);
        }
        assert!(history.graph().chars().all(|bar| bar == '█'), "{}", history.graph());
    }

    #[test]
    fn a_row_names_the_queue_its_consumers_and_its_depth() {
        let mut histories: BTreeMap<String, History> = BTreeMap::new();
        histories.entry("lockbox.approval".to_owned()).or_default().add(7, 4);
        histories.entry("lockbox.delay.12h".to_owned()).or_default().add(0, 0);
        let rows = rows(&histories);
        assert_eq!(rows.len(), 2, "an empty delay level is left out");
        assert!(rows[1].starts_with("lockbox.approval         4        7        7  "), "{}", rows[1]);
    }
}
