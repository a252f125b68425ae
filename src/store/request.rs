//! What a caller waits for: a change to stage in the commit thread, and where its answer goes.

use tokio::sync::oneshot;

use super::error::{Refusal, StoreError};
use super::staging::Staging;
use crate::domain::id::AccountNumber;

/// Whose a request is, and how much it asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Whose; 0: nobody's, or the server's own.
    pub account: AccountNumber,
    /// Bytes of events in it.
    pub bytes: usize,
    /// Deliveries that it makes, as far as is known.
    pub deliveries: usize,
    /// It is some pieces of a body. Who asks tells nobody of the answer: what is written for it may still be lost, so nothing is
    /// synced for its sake.
    pub is_untold: bool,
}

impl Load {
    /// Of a change that somebody of the account makes.
    pub fn of(account: AccountNumber) -> Self {
        Self { account, ..Self::default() }
    }
}

/// As much work as a key is written.
const WORK_BYTES: usize = 4 * 1024;

/// What a caller waits for.
pub struct Request {
    load: Load,
    job: Box<dyn Job>,
}

/// Stages its writes, then answers once they are safe (or could not be written).
trait Job: Send {
    fn stage(&mut self, staging: &mut Staging<'_>);
    fn refuse(&mut self, why: Refusal);
    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

struct Pending<T, F> {
    stage: Option<F>,
    staged: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
}

impl Request {
    /// A request that stages with `stage`, and where its answer arrives.
    pub fn new<T, F>(load: Load, stage: F) -> (Self, oneshot::Receiver<Result<T, Refusal>>)
    where
        T: Send + 'static,
        F: FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (Self { load, job: Box::new(Pending { stage: Some(stage), staged: None, reply }) }, answer)
    }

    /// Stages it. Nothing is written for an account that was deleted, whatever was on its way then.
    pub fn stage(&mut self, staging: &mut Staging<'_>) {
        let is_served = self.load.account == 0 || staging.registry().is_served(self.load.account);
        match is_served {
            true => self.job.stage(staging),
            false => self.job.refuse(Refusal::NotFound("account")),
        }
    }

    /// Answers whoever waits: what was staged is safe, or could not be written.
    pub fn answer(self, written: Result<(), StoreError>) {
        self.job.answer(written);
    }

    /// Whose it is.
    pub fn account(&self) -> AccountNumber {
        self.load.account
    }

    /// Bytes of events in it.
    pub fn bytes(&self) -> usize {
        self.load.bytes
    }

    /// Bytes that are written for it, as far as a group bounds them: sled writes large values three times.
    pub fn written_bytes(&self) -> usize {
        if self.load.is_untold { 3 * self.load.bytes } else { self.load.bytes }
    }

    /// Whether nobody is told of the answer.
    pub fn is_untold(&self) -> bool {
        self.load.is_untold
    }

    /// How much work it is for the commit thread, in keys that are written.
    pub fn work(&self) -> usize {
        1 + self.load.deliveries + self.load.bytes / WORK_BYTES
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

    fn refuse(&mut self, why: Refusal) {
        (self.stage, self.staged) = (None, Some(Err(why)));
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
