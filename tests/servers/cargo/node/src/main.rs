//! A QuDAG node with its RPC, for tests: `qudag-node RPC P2P_PORT [unwired]`.
//!
//! RPC is a TCP port or the path of a Unix socket; with `unwired` it has no node behind it. The
//! node listens on loopback alone, and looks for no other by itself: the RPC's `add_peer` dials.

use std::sync::Arc;

use qudag_protocol::{NodeRunner, NodeRunnerAdapter, NodeRunnerConfig, RpcServer};
use tokio::sync::RwLock;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rpc, p2p, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: qudag-node RPC P2P_PORT [unwired]");
        std::process::exit(2);
    };
    let (mut server, _commands) = match rpc.parse::<u16>() {
        Ok(port) => RpcServer::new_tcp(port),
        Err(_) => RpcServer::new_unix(rpc.clone()),
    };
    if !rest.iter().any(|word| word == "unwired") {
        let mut config = NodeRunnerConfig::default();
        config.p2p_config.listen_addrs = vec![format!("/ip4/127.0.0.1/tcp/{p2p}")];
        config.p2p_config.enable_mdns = false;
        config.p2p_config.enable_relay = false;
        let runner = Arc::new(RwLock::new(NodeRunner::new(config)));
        runner.write().await.start().await.expect("the node starts");
        let adapter = NodeRunnerAdapter::new(runner);
        server.set_node_handle(Arc::new(RwLock::new(adapter))).await;
    }
    server.start().await.expect("the RPC starts");
    std::future::pending::<()>().await;
}
