//! `lockbox`: one executable with a subcommand for each role and each action.

use std::process::ExitCode;

use clap::Parser;

mod commands;
mod help;

use commands::Cli;

fn main() -> ExitCode {
    // Several TLS users, one provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(cli.threads()).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            runtime::output::print_message(&format!("error: the runtime does not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            runtime::output::print_message(&format!("error: {failure}"));
            failure.code()
        }
    }
}
