//! `lockbox witness`: a small server that a customer, or a party that it trusts, runs. It cosigns a checkpoint of an audit log
//! only when the checkpoint extends the tree that it cosigned before. It needs neither the database nor the broker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Args;
use tlog::Verifier;
use workers::signer::{Memory, Seeds};
use workers::witness::{Answer, Witness};

use runtime::outcome::Failure;
use runtime::output::{line, print_message};

/// Largest body: a proof and a checkpoint with many signatures.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// Options of the witness.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lockbox witness --name witness.contoso.example --log-key lockbox.fabrikam.example/t/contoso+…"
)]
pub struct WitnessCommand {
    /// Name of the witness, such as its address without the scheme.
    #[arg(long)]
    name: String,
    /// Public key of a log, from `/.well-known/lockbox/<tenant>/keys`; repeat the option for more keys and logs.
    #[arg(long = "log-key", required = true, value_name = "KEY")]
    logs: Vec<Verifier>,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8790", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Folder with the key and the state of the witness; a key is created when there is none.
    #[arg(long, default_value = "lockbox-witness")]
    folder: PathBuf,
}

type Shared = Arc<Mutex<Witness>>;

impl WitnessCommand {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let memory = Memory::open(&self.folder).map_err(|fault| Failure::Failed(workers::error_chain(&fault)))?;
        if Seeds::read(&self.folder)?.is_empty() {
            Seeds::add(&self.folder)?;
        }
        let keys = Seeds::read(&self.folder)?.witnesses(&self.name);
        if keys.is_empty() {
            return Err(Failure::Usage(
                "--name: the name of a witness must not contain spaces or a plus sign".to_owned(),
            ));
        }
        let public: Vec<String> = keys.iter().map(|key| key.verifier().to_string()).collect();
        let witness: Shared = Arc::new(Mutex::new(Witness::new(keys, self.logs, memory)));
        let listener = tokio::net::TcpListener::bind(self.listen).await?;
        print_message(&format!("listening on {}; the public keys of the witness:", listener.local_addr()?));
        line(&public.join("\n"))?;
        let served = public.join("\n") + "\n";
        let router = Router::new()
            .route("/add-checkpoint", post(add))
            .route("/key", get(move || async { served }))
            .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
            .with_state(witness);
        let serving = axum::serve(listener, router).with_graceful_shutdown(runtime::serve::stop_requested());
        Ok(serving.await?)
    }
}

async fn add(State(witness): State<Shared>, body: String) -> Response {
    let now = u64::try_from(contracts::envelope::wall_clock().timestamp()).unwrap_or_default();
    let answer = witness.lock().unwrap_or_else(PoisonError::into_inner).add(&body, now);
    match answer {
        Ok(Answer::Cosigned(lines)) => lines.into_response(),
        Ok(Answer::Malformed(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
        Ok(Answer::Unknown) => StatusCode::NOT_FOUND.into_response(),
        Ok(Answer::NotSigned) => StatusCode::FORBIDDEN.into_response(),
        Ok(Answer::Unproved) => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        Ok(Answer::Conflict(size)) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response()
        }
        Err(fault) => {
            tracing::error!(error = workers::error_chain(&fault), "the state of the witness cannot be stored");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
