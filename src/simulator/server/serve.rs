//! The simulator as a program of its own: `changeover simulator serve`.

use std::io::Write as _;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Simulator, SimulatorOptions, StartError};
use crate::domain::ids::NodeId;

/// Starts a simulator, prints its addresses as one line of JSON on standard output, and runs until interrupt or SIGTERM.
///
/// # Errors
/// See [`StartError`].
pub async fn serve(options: SimulatorOptions) -> Result<(), StartError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signal)?;
    let client_id = options.client_id.clone();
    let simulator = Simulator::start(options).await?;
    let line = describe(&simulator, &client_id);
    // Whoever reads it may have gone already; the simulator serves all the same.
    let _ = writeln!(std::io::stdout(), "{line}");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    simulator.shutdown().await;
    Ok(())
}

/// What a client needs to reach the simulator; the client's secret is known to whoever started it.
pub fn describe(simulator: &Simulator, client_id: &str) -> serde_json::Value {
    let node = |node: NodeId| {
        json!({
            "url": simulator.url(node),
            "address": simulator.nodes[node].ip(),
            "identity": simulator.identities[node],
        })
    };
    json!({
        "nodes": {"a": node(NodeId::A), "b": node(NodeId::B)},
        "port": simulator.port,
        "service": simulator.service,
        "control": format!("http://{}", simulator.control),
        "client_id": client_id,
        "pin": simulator.pin,
        "certificate_pem": simulator.certificate_pem,
    })
}
