//! Resolving names.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

/// Names that are resolved at a time, at most.
const AT_A_TIME: usize = 64;

/// Finds the addresses of names.
pub trait Resolve: Send + Sync {
    /// The addresses of `name` now, in the order in which to try them.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
///
/// It cannot be stopped, and takes as long as it takes: so it has threads of its own, which neither keep those of
/// others busy nor the program from ending, and few of them.
pub struct SystemResolver {
    room: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }
}

impl SystemResolver {
    async fn ask(&self, name: String) -> io::Result<Vec<IpAddr>> {
        let closed = |_| io::Error::other("the resolver has ended");
        let permit = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| io::Error::other("the resolver has ended"))?;
        let (reply, answer) = oneshot::channel();
        std::thread::Builder::new()
            .name("resolver".into())
            .spawn(move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                let found = found.map(|addresses| addresses.map(|address| address.ip()).collect());
                drop(permit);
                // Whoever asked may have given up.
                let _ = reply.send(found);
            })?;
        answer.await.map_err(closed)?
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.ask(name.to_owned()).boxed()
    }
}
