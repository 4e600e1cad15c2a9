//! Who runs the jobs? Tasks of this process: each leases one job at a time, keeps the lease alive and runs the job, and
//! what fails is tried again later or given up.

use std::sync::Arc;
use std::time::Duration;

use harkback_engine::model::{Job, Micros};
use harkback_engine::{Error, JobEnd};

use crate::api::idempotency;
use crate::app::{App, AppState};
use crate::{backoff, startup, web, webhooks};

/// More than the ingestions that may run at once: a slow website holds up nobody but itself.
const WORKERS: usize = 8;
const POLL_INTERVAL: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A worker that was killed is replaced after this long.
const LEASE: Micros = 20_000_000;
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// Bytes that no file was made of are kept this long.
const UNUSED_UPLOAD: Micros = 24 * 3600 * 1_000_000;

/// A job that failed once more after the last of these is dead.
const WAITS: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// Starts all work beside the requests: jobs, webhooks, the removal of what nobody needs, and what is
/// to be done after a start. To be called once, before
/// the first request is taken.
///
/// # Errors
/// If the disk fails.
pub async fn start(app: &AppState) -> harkback_engine::Result<()> {
    app.blobs.remove_leftovers().await?;
    for _ in 0..WORKERS {
        app.spawn(run(Arc::clone(app)));
    }
    app.spawn(webhooks::run(Arc::clone(app)));
    app.spawn(sweep(Arc::clone(app)));
    app.spawn(startup::run(Arc::clone(app)));
    Ok(())
}

/// Runs jobs until the program stops.
pub async fn run(app: AppState) {
    while !app.ending.is_cancelled() {
        match run_next(&app).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the job queue cannot be used"
            ),
        }
        tokio::select! {
            () = app.ending.cancelled() => return,
            () = app.job_ready.notified() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

/// Runs the job that is due longest. False if none is due.
///
/// # Errors
/// If the database fails.
pub async fn run_next(app: &App) -> harkback_engine::Result<bool> {
    let now = app.now();
    let Some(job) = app.store.claim_job(app.new_id(), now, now + LEASE).await? else {
        return Ok(false);
    };
    match settle(app, &job, lease_and_run(app, &job).await).await {
        // Another worker has it now, or its memory is gone: nothing of ours counts any more.
        Err(Error::LeaseLost) => tracing::warn!(job.id = %job.job_id, "lost the lease of a job"),
        settled => settled?,
    }
    Ok(true)
}

enum Outcome {
    Done,
    Failed(Error),
    Stopped,
}

async fn lease_and_run(app: &App, job: &Job) -> Outcome {
    // An attempt beyond the last is one whose worker died every time: running it again would kill this one as well.
    if backoff::wait(&WAITS, job.job_id, job.attempt - 1).is_none() {
        return Outcome::Failed(Error::Corrupt("the worker died in every attempt".into()));
    }
    tokio::select! {
        done = run_job(app, job) => done.map_or_else(Outcome::Failed, |()| Outcome::Done),
        error = keep_lease(app, job) => Outcome::Failed(error),
        () = app.ending.cancelled() => Outcome::Stopped,
    }
}

/// Ingests what is there, and then fetches websites and ingests their pages, until nothing is left.
async fn run_job(app: &App, job: &Job) -> harkback_engine::Result<()> {
    let now = || app.now();
    loop {
        let slot = app.ingesting.acquire().await;
        if app.memory.run_job(job, &now).await? == JobEnd::Done {
            return Ok(());
        }
        drop(slot);
        web::fetch_sites(app, job).await?;
    }
}

async fn keep_lease(app: &App, job: &Job) -> Error {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if let Err(error) = app.store.heartbeat(job, app.now() + LEASE).await {
            return error;
        }
    }
}

async fn settle(app: &App, job: &Job, outcome: Outcome) -> harkback_engine::Result<()> {
    let now = app.now();
    let error = match outcome {
        Outcome::Done => return Ok(()),
        Outcome::Stopped => return app.store.release_job(job, now).await,
        Outcome::Failed(error @ Error::LeaseLost) => return Err(error),
        Outcome::Failed(error) => error,
    };
    let text = chain(&error);
    tracing::error!(job.id = %job.job_id, job.attempt, error = %text, "a job failed");
    match backoff::wait(&WAITS, job.job_id, job.attempt) {
        Some(wait) => {
            let run_at = now + i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 2);
            app.store.retry_job(job, run_at, &text, now).await
        }
        None => {
            let reason =
                format!("ingestion was given up after {} attempts; start it again", job.attempt);
            app.store.bury_job(job, &reason, &text, now).await
        }
    }
}

/// Removes bytes that belong to no file, from time to time, until the program stops.
pub async fn sweep(app: AppState) {
    loop {
        if let Err(error) = sweep_once(&app).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "unused bytes cannot be removed"
            );
        }
        tokio::select! {
            () = app.ending.cancelled() => return,
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
    }
}

/// Drops uploads that no file was made of within a day, bytes that no upload stands for, answers kept long enough, and what
/// the database's log still holds of deleted rows.
///
/// # Errors
/// If the database or the disk fails.
pub async fn sweep_once(app: &App) -> harkback_engine::Result<()> {
    app.store.drop_kept_answers(app.now() - idempotency::KEPT).await?;
    // List before looking: a key that is listed has had its upload row for longer than its bytes.
    let keys = app.blobs.keys().await?;
    app.store.drop_unused_uploads(app.now() - UNUSED_UPLOAD).await?;
    app.site_limit.retain_recent();
    for key in keys {
        if !key.ends_with(".part") && app.store.find_upload(&key).await?.is_none() {
            app.blobs.delete(&key).await?;
        }
    }
    if !app.store.fold_log().await? {
        tracing::debug!("the database's log is in use, and folded the next time");
    }
    Ok(())
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |it| it.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
