//! Prepares every SQL statement of the store on the migrated schema: the constants in the code, and the `.sql` files beside it.

use std::path::{Path, PathBuf};

use sqlx::{Executor, SqlSafeStr};

use crate::harness::Lockbox;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The text of each `const NAME: &str = "…";`, with its continuation lines joined.
fn statements(source: &str) -> Vec<String> {
    source
        .split("const ")
        .skip(1)
        .filter_map(|rest| {
            let text = rest.split_once(": &str = \"")?;
            let name_is_const = text.0.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            let statement = text.1.split_once("\";")?.0;
            let joined: Vec<&str> = statement.split("\\\n").map(str::trim_start).collect();
            let joined = joined.concat();
            let verb = joined.split(' ').next()?.to_owned();
            (name_is_const && ["select", "insert", "update", "delete", "with"].contains(&verb.as_str()))
                .then_some(joined)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_prepared_on_the_migrated_schema() {
    let lockbox = Lockbox::without_roles().await;
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/store/src"), &mut files);
    let mut count = 0;
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let found = match file.extension().and_then(|extension| extension.to_str()) {
            // The groups of rights are a script of many statements; `lockbox migrate` runs it.
            Some("sql") if file.ends_with("roles.sql") => Vec::new(),
            Some("sql") => vec![source],
            _ => statements(&source),
        };
        for statement in found {
            let prepared = (&lockbox.pool).prepare(sqlx::AssertSqlSafe(statement.clone()).into_sql_str()).await;
            assert!(prepared.is_ok(), "{}: {statement}\n{:?}", file.display(), prepared.err());
            count += 1;
        }
    }
    assert!(count > 40, "only {count} statements were found");
    lockbox.finish().await;
}
