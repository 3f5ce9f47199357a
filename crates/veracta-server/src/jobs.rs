//! What the server does in the background, beside answering requests: one list of jobs, one place that starts and ends them.
//!
//! A job is retried by doing it again: what failed is logged where the error becomes an [`ApiError`], and the next round does what is still
//! due. This file does not do the work itself, and the thread that reads a file for one download is not a job: it ends with its request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use veracta_store::Platform;
use veracta_store::webhooks::Webhook;

use crate::access::AccessControl;
use crate::blocking::blocking;
use crate::error::{ApiError, log_error};
use crate::openlineage::{self, LineageBackend, LineageSender};
use crate::webhooks::{self, Receivers};

/// How often counted refusals are recorded.
const REFUSALS_RECORDED_EVERY: Duration = Duration::from_secs(60);
/// How often files of unfinished uploads are looked for.
const UPLOADS_SWEPT_EVERY: Duration = Duration::from_secs(3600);
/// Age from which files of an unfinished upload are removed: longer than any upload takes.
const UPLOADS_SWEPT_AGE: Duration = Duration::from_secs(24 * 3600);

/// One kind of background work.
pub(crate) enum Job {
    /// Records refused requests that were only counted, because there were many of their kind.
    RecordRefusals(Arc<AccessControl>),
    /// Removes what uploads left behind that never ended.
    SweepUploads(Arc<Platform>),
    /// Follows the ledger and starts a [`Job::CatchUp`] for each webhook that has not been sent the latest entries.
    SendWebhooks {
        platform: Arc<Platform>,
        receivers: Receivers,
    },
    /// Sends one webhook the events of the entries below `size` that it was not sent.
    CatchUp {
        platform: Arc<Platform>,
        webhook: Webhook,
        size: u64,
        receivers: Receivers,
    },
    /// Follows the ledger and sends each recorded run to a backend of OpenLineage.
    SendLineage {
        platform: Arc<Platform>,
        backend: LineageBackend,
    },
}

/// The jobs that are under way; a clone is the same set.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<JoinSet<()>>>);

impl Jobs {
    /// Starts a job, which goes on until it has nothing left to do or all jobs are ended.
    pub(crate) fn start(&self, job: Job) -> AbortHandle {
        let mut running = self.running();
        // A set keeps each job that is over until somebody asks for it.
        while running.try_join_next().is_some() {}
        running.spawn(run(job, self.clone()))
    }

    /// Ends every job where it next waits, and returns when none is left.
    pub(crate) async fn end(&self) {
        loop {
            let mut running = std::mem::take(&mut *self.running());
            // A job that was ended may have started another one before; that one is in the new set.
            if running.is_empty() {
                return;
            }
            running.shutdown().await;
        }
    }

    fn running(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does a job to its end.
async fn run(job: Job, jobs: Jobs) {
    match job {
        Job::RecordRefusals(access) => {
            // What could not be recorded was refused all the same.
            repeat(REFUSALS_RECORDED_EVERY, move || {
                access.flush_refusals(false)
            })
            .await;
        }
        Job::SweepUploads(platform) => {
            // What cannot be removed now is tried again, and nothing reads it.
            let sweep = move || {
                platform.store.blobs().sweep(UPLOADS_SWEPT_AGE)?;
                Ok(())
            };
            repeat(UPLOADS_SWEPT_EVERY, sweep).await;
        }
        Job::SendWebhooks {
            platform,
            receivers,
        } => {
            let sender = WebhookSender {
                receivers,
                jobs,
                sending: HashMap::new(),
            };
            follow(&platform, Follower::Webhooks(sender)).await
        }
        Job::CatchUp {
            platform,
            webhook,
            size,
            receivers,
        } => webhooks::catch_up(&platform, webhook, size, receivers).await,
        Job::SendLineage { platform, backend } => match LineageSender::new(backend) {
            Ok(sender) => follow(&platform, Follower::Lineage(sender)).await,
            Err(_) => log_error(&openlineage::NO_CLIENT),
        },
    }
}

/// Does blocking work at once and then every `interval`. Its errors were logged; the next round is the retry.
async fn repeat(
    interval: Duration,
    work: impl Fn() -> Result<(), ApiError> + Clone + Send + 'static,
) {
    let mut clock = tokio::time::interval(interval);
    loop {
        clock.tick().await;
        let _ = blocking(work.clone()).await;
    }
}

/// Who is told what is new in the ledger.
enum Follower {
    Webhooks(WebhookSender),
    Lineage(LineageSender),
}

impl Follower {
    /// Name of the task, which only one process on a workspace does at a time.
    fn task(&self) -> &'static str {
        match self {
            Self::Webhooks(_) => "webhooks",
            Self::Lineage(_) => "openlineage",
        }
    }

    /// Wait between two looks at the ledger.
    fn looked_every(&self) -> Duration {
        match self {
            Self::Webhooks(_) => webhooks::LOOKED_EVERY,
            Self::Lineage(_) => openlineage::LOOKED_EVERY,
        }
    }

    /// Further wait after a look that failed. Webhooks need none: each waits for its own receiver.
    fn retried_after(&self) -> Duration {
        match self {
            Self::Webhooks(_) => Duration::ZERO,
            Self::Lineage(_) => openlineage::RETRIED_AFTER,
        }
    }

    /// Sends what is new, or starts to.
    async fn look(&mut self, platform: &Arc<Platform>) -> Result<(), ApiError> {
        match self {
            Self::Webhooks(sender) => sender.look(platform).await,
            Self::Lineage(sender) => sender.look(platform).await,
        }
    }
}

/// Which webhooks are being sent events, by id.
struct WebhookSender {
    receivers: Receivers,
    jobs: Jobs,
    sending: HashMap<String, AbortHandle>,
}

impl WebhookSender {
    /// Starts a job for each webhook that has not been sent the latest entries and is not being sent any.
    async fn look(&mut self, platform: &Arc<Platform>) -> Result<(), ApiError> {
        let (size, behind) = webhooks::behind(platform).await?;
        self.sending.retain(|_, job| !job.is_finished());
        for webhook in behind {
            if !self.sending.contains_key(&webhook.id) {
                let id = webhook.id.clone();
                let job = self.jobs.start(Job::CatchUp {
                    platform: Arc::clone(platform),
                    webhook,
                    size,
                    receivers: self.receivers,
                });
                self.sending.insert(id, job);
            }
        }
        Ok(())
    }
}

/// Looks at the ledger again and again, while this process is the one of all that does the follower's task.
///
/// After a failure the task is given up, so that another process, which may reach what this one cannot, gets its turn.
async fn follow(platform: &Arc<Platform>, mut follower: Follower) {
    let task = follower.task();
    let mut leading = None;
    loop {
        tokio::time::sleep(follower.looked_every()).await;
        if leading.is_none() {
            let store = Arc::clone(&platform.store);
            leading = blocking(move || Ok(store.lead(task)?)).await.ok().flatten();
            if leading.is_none() {
                continue;
            }
        }
        if follower.look(platform).await.is_err() {
            leading = None;
            tokio::time::sleep(follower.retried_after()).await;
        }
    }
}
