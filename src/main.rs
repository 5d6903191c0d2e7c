//! `lockbox`: one executable, one subcommand per role and per verb.

use std::process::ExitCode;

use clap::Parser;

mod commands;

use commands::Cli;

fn main() -> ExitCode {
    // Several TLS users, one provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(cli.threads()).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            runtime::output::tell(&format!("error: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            runtime::output::tell(&format!("error: {failure}"));
            failure.code()
        }
    }
}
