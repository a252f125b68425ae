//! A thread of the neighbours' own, so that what they do does not delay the measured one's producers. What stays true: when
//! it has ended, nothing goes on.

use std::future::Future;
use std::thread::JoinHandle;

use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use crate::cli::error::CliError;

/// Work that goes on beside.
pub struct Beside {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), CliError>>,
}

impl Beside {
    /// Starts it.
    pub fn start<F>(work: impl FnOnce() -> F + Send + 'static) -> Result<Self, CliError>
    where
        F: Future<Output = Result<(), CliError>>,
    {
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            actix_rt::System::new().block_on(async {
                match select(std::pin::pin!(work()), stopped).await {
                    Either::Left((ended, _)) => ended,
                    Either::Right(_) => Ok(()),
                }
            })
        };
        let thread = std::thread::Builder::new().name("neighbours".into()).spawn(run);
        Ok(Self { stop, thread: thread.map_err(CliError::io("no thread"))? })
    }

    /// Ends it. Says why it had ended before, if it had.
    pub fn end(self) -> Result<(), CliError> {
        // An error means that it has ended already.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|_| Err(CliError::Failed("the neighbours panicked".into())))
    }
}
