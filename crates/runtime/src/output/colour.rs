//! Colours by meaning, only on a terminal and not when `NO_COLOR` is set (<https://no-color.org>).

use clap::builder::styling::{AnsiColor, Style};

/// What a state means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Access is open, or a part works.
    Active,
    /// Somebody or something has to act first.
    Pending,
    /// Denied, failed, or not confirmed.
    Failed,
}

/// Meaning of a state, with or without its cause, such as `ended (expired)`; nothing for states without a colour.
pub fn meaning_of(state: &str) -> Option<Meaning> {
    match state.split(" (").next().unwrap_or_default() {
        "active" | "ready" | "on" => Some(Meaning::Active),
        "pending_vendor" | "pending_customer" | "provisioning" | "revoking" | "dead_lettered" => Some(Meaning::Pending),
        "vendor_denied" | "customer_denied" | "failing" | "off" | "REVOCATION UNCONFIRMED" => Some(Meaning::Failed),
        _ => None,
    }
}

/// Colour of a meaning.
pub(super) fn colour(meaning: Meaning) -> comfy_table::Color {
    match meaning {
        Meaning::Active => comfy_table::Color::Green,
        Meaning::Pending => comfy_table::Color::Yellow,
        Meaning::Failed => comfy_table::Color::Red,
    }
}

/// Whether standard output shows colours: it is a terminal, and neither `NO_COLOR` nor `TERM=dumb` is set.
pub(super) fn has_colours() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// The text in the colour of its meaning, where standard output shows colours.
pub fn coloured(text: &str, meaning: Meaning) -> String {
    if !has_colours() {
        return text.to_owned();
    }
    let colour = match meaning {
        Meaning::Active => AnsiColor::Green,
        Meaning::Pending => AnsiColor::Yellow,
        Meaning::Failed => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_keeps_its_meaning_beside_a_cause() {
        assert_eq!(meaning_of("pending_customer"), Some(Meaning::Pending));
        assert_eq!(meaning_of("active"), Some(Meaning::Active));
        assert_eq!(meaning_of("customer_denied (comment)"), Some(Meaning::Failed));
        assert_eq!(meaning_of("ended (expired)"), None);
    }

    #[test]
    fn a_pipe_gets_no_escape_codes() {
        // The test's standard output is captured, so it is no terminal.
        assert_eq!(coloured("active", Meaning::Active), "active");
    }
}
