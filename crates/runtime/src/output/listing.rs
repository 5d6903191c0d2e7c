//! Lists as tables, CSV and JSON.

use std::io::Write;

use clap::Args;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::Value;

use super::{Format, colour, json, line, localized, printable};
use crate::outcome::Failure;

/// Columns whose cells are coloured by their meaning.
const STATE_COLUMNS: [&str; 3] = ["state", "status", "provisioning"];
/// Length of a UUID as text. A table never breaks one into two lines.
const UUID_LENGTH: usize = 36;

/// Rows under headings, and the same as JSON.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Headings of all columns.
    pub head: Vec<&'static str>,
    /// Columns of a table when none are chosen; empty for all.
    pub brief: Vec<&'static str>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// The same for programs.
    pub json: Value,
}

/// Columns to print.
#[derive(Args, Clone, Debug, Default)]
pub struct Columns {
    /// Print only these columns of the table or of the CSV file, such as `id,state`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Output")]
    columns: Vec<String>,
}

impl Columns {
    /// Prints a list with the chosen columns.
    ///
    /// # Errors
    /// [`Failure::Usage`] when a column does not exist; when standard output is closed.
    pub fn print(&self, listing: &Listing, format: Format) -> Result<(), Failure> {
        if self.columns.is_empty() {
            return listing.print(format);
        }
        let same = |name: &str| name.to_lowercase().replace(['_', '-'], " ");
        let mut places = Vec::new();
        for wanted in &self.columns {
            let place = listing.head.iter().position(|name| same(name) == same(wanted.trim()));
            places.push(place.ok_or_else(|| {
                let names = listing.head.join(", ");
                Failure::Usage(format!("--columns: there is no column {wanted:?}; use names from: {names}"))
            })?);
        }
        listing.columns(&places).print(format)
    }
}

impl Listing {
    /// A list whose tables show every column.
    pub fn new(head: Vec<&'static str>, rows: Vec<Vec<String>>, json: Value) -> Self {
        Self { head, brief: Vec::new(), rows, json }
    }

    /// The list with a smaller set of columns for tables.
    #[must_use]
    pub fn brief(self, brief: &[&'static str]) -> Self {
        Self { brief: brief.to_vec(), ..self }
    }

    /// The columns at these places, in this order.
    fn columns(&self, places: &[usize]) -> Self {
        let row = |row: &Vec<String>| places.iter().map(|place| row.get(*place).cloned().unwrap_or_default()).collect();
        Self {
            head: places.iter().map(|place| self.head[*place]).collect(),
            brief: Vec::new(),
            rows: self.rows.iter().map(row).collect(),
            json: self.json.clone(),
        }
    }

    /// Prints the list.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print(&self, format: Format) -> Result<(), Failure> {
        match format {
            Format::Table if self.rows.is_empty() => line("nothing found"),
            Format::Table => line(&self.table()),
            Format::Json => json(&self.json),
            Format::Csv => {
                write!(std::io::stdout().lock(), "{}", self.csv()?)?;
                Ok(())
            }
        }
    }

    /// A table as wide as the terminal, or as its content when standard output is no terminal.
    pub fn table(&self) -> String {
        if !self.brief.is_empty() {
            let places: Vec<_> = self.head.iter().enumerate().filter(|(_, name)| self.brief.contains(name)).collect();
            return self.columns(&places.iter().map(|(place, _)| *place).collect::<Vec<_>>()).table();
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        if !colour::has_colours() {
            table.force_no_tty();
        }
        table.set_header(self.head.iter().copied());
        for row in &self.rows {
            table.add_row(row.iter().zip(&self.head).map(|(text, name)| cell(name, text)));
        }
        for (place, column) in table.column_iter_mut().enumerate() {
            if self.rows.iter().any(|row| row.get(place).is_some_and(|text| text.len() == UUID_LENGTH)) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        table.to_string()
    }

    /// Comma-separated values (RFC 4180). No cell is a formula for a spreadsheet.
    ///
    /// # Errors
    /// When a row has not as many cells as there are headings.
    pub fn csv(&self) -> Result<String, Failure> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |fault: csv::Error| Failure::Failed(fault.to_string());
        writer.write_record(&self.head).map_err(failed)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|cell| without_formula(cell))).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|fault| Failure::Failed(fault.to_string()))?;
        String::from_utf8(bytes).map_err(|fault| Failure::Failed(fault.to_string()))
    }
}

fn cell(name: &str, text: &str) -> Cell {
    let cell = Cell::new(printable(&localized(text)));
    match super::meaning_of(text).filter(|_| STATE_COLUMNS.contains(&name)) {
        Some(meaning) => cell.fg(colour::colour(meaning)),
        None => cell,
    }
}

/// A cell that a spreadsheet does not read as a formula. The dash that stands for an absent value becomes an empty cell.
fn without_formula(cell: &str) -> String {
    match cell.chars().next() {
        Some('-') if cell.len() == 1 => String::new(),
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\0') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let rows = vec![vec!["1".to_owned(), "active".to_owned(), "=HYPERLINK(1)".to_owned(), "-".to_owned()]];
        Listing::new(vec!["id", "state", "service request", "until"], rows, Value::Null)
    }

    #[test]
    fn a_csv_file_holds_no_formula_and_an_absent_value_is_empty() {
        assert_eq!(listing().csv().unwrap(), "id,state,service request,until\n1,active,'=HYPERLINK(1),\n");
        assert_eq!(without_formula("-1"), "'-1");
    }

    #[test]
    fn a_table_shows_the_brief_columns_and_a_csv_file_all() {
        let brief = listing().brief(&["id", "state"]);
        assert!(brief.table().contains("active") && !brief.table().contains("until"), "{}", brief.table());
        assert!(brief.csv().unwrap().contains("until"));
    }

    #[test]
    fn chosen_columns_are_printed_in_their_order_and_an_unknown_one_names_the_others() {
        let columns = |names: &[&str]| Columns { columns: names.iter().map(|&name| name.to_owned()).collect() };
        assert_eq!(listing().columns(&[2, 0]).head, ["service request", "id"]);
        assert!(columns(&["service-request"]).print(&listing(), Format::Json).is_ok());
        let failure = columns(&["colour"]).print(&listing(), Format::Table).unwrap_err();
        assert!(failure.to_string().contains("id, state, service request, until"), "{failure}");
    }
}
