//! A network between a server and its database that can be cut: nothing comes through, and nobody is told.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::database::TestDatabase;

/// Forwards connections to a database, unless it is cut.
pub(crate) struct Proxy {
    url: String,
    open: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = database.url_at(listener.local_addr().unwrap().port());
        let (open, is_open) = watch::channel(true);
        let serving = tokio::spawn(serve(listener, database.socket(), is_open));
        Self { url, open, serving }
    }

    /// The database's URL through this network.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing comes through. Connections stay open, and new ones are taken.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// What was held back comes through, and what comes from now on.
    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, socket: PathBuf, is_open: watch::Receiver<bool>) {
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let (socket, mut is_open) = (socket.clone(), is_open.clone());
        tokio::spawn(async move {
            let _ = is_open.wait_for(|open| *open).await;
            let Ok(far) = UnixStream::connect(socket).await else {
                return;
            };
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::join!(
                forward(near_read, far_write, is_open.clone()),
                forward(far_read, near_write, is_open),
            );
        });
    }
}

/// Forwards one direction to its end, which comes through as everything else does.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut is_open: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if is_open.wait_for(|open| *open).await.is_err() {
            return;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}
