//! Serving connections, and letting them end well.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpSocket};

/// How long requests under way may take to finish once the server is told to end.
const GRACE: Duration = Duration::from_secs(30);

/// Connections that may wait to be taken: a crowd that comes at once is served in turn, not turned away. The
/// operating system may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Listens on `address`, also when connections of a server before linger there.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router` until `end` resolves; then takes no new connections, answers what is under way, and
/// returns when that is done or a grace period is over.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    end: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Answers are written whole: waiting to fill packets only delays them.
        let _ = stream.set_nodelay(true);
    });
    let (told, mut tell) = tokio::sync::watch::channel(false);
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = tell.changed().await;
    });
    let serving = std::future::IntoFuture::into_future(serving);
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        () = end => {}
    }
    told.send_replace(true);
    if let Ok(served) = tokio::time::timeout(GRACE, serving).await {
        served
    } else {
        tracing::warn!("some requests did not finish in time and are cut off");
        Ok(())
    }
}
