//! What a caller waits for: a change to stage in the commit thread, and where its answer goes.

use tokio::sync::oneshot;

use super::error::{Refusal, StoreError};
use super::staging::Staging;

/// What a caller waits for.
pub struct Request {
    bytes: usize,
    job: Box<dyn Job>,
}

/// Stages its writes, then answers once they are safe (or could not be written).
trait Job: Send {
    fn stage(&mut self, staging: &mut Staging<'_>);
    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

struct Pending<T, F> {
    stage: Option<F>,
    staged: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
}

impl Request {
    /// A request that stages with `stage`, and where its answer arrives. `bytes` is the size of the events in it.
    pub fn new<T, F>(bytes: usize, stage: F) -> (Self, oneshot::Receiver<Result<T, Refusal>>)
    where
        T: Send + 'static,
        F: FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (Self { bytes, job: Box::new(Pending { stage: Some(stage), staged: None, reply }) }, answer)
    }

    /// Stages it.
    pub fn stage(&mut self, staging: &mut Staging<'_>) {
        self.job.stage(staging);
    }

    /// Answers whoever waits: what was staged is safe, or could not be written.
    pub fn answer(self, written: Result<(), StoreError>) {
        self.job.answer(written);
    }

    /// Bytes of events in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send,
{
    fn stage(&mut self, staging: &mut Staging<'_>) {
        self.staged = self.stage.take().map(|stage| stage(staging));
        if let Some(Err(Refusal::Failed(StoreError::Damaged(damage)))) = &self.staged {
            staging.trees().reports().note(damage.clone());
        }
    }

    fn answer(self: Box<Self>, written: Result<(), StoreError>) {
        let answer = match (written, self.staged) {
            (Ok(()), Some(staged)) => staged,
            (Ok(()), None) => unreachable!("what was written was staged"),
            (Err(error), _) => Err(error.into()),
        };
        // Whoever asked may have gone away; what was written stays written.
        let _ = self.reply.send(answer);
    }
}
