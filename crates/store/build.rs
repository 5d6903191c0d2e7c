//! Migrations are part of the executable: a new one builds it anew.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
