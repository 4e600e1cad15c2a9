//! How do websites get into memories? Before the ingestion of a `website`, `sitemap` or `website_bulk`, its pages are
//! fetched and stored as files, which the engine then ingests like uploaded ones.

mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod page;
mod robots;
mod site;
mod sitemap;
mod walk;

use harkback_engine::Result;
use harkback_engine::model::Job;

use crate::app::App;
use site::{Stop, Visits};

/// Fetches every website that a job has to ingest. Safe to run twice: what an aborted run has stored is not fetched again.
///
/// # Errors
/// [`LeaseLost`](harkback_engine::Error::LeaseLost) if another worker took over; otherwise if the store or the disk fails.
/// A website that cannot be fetched is none: its file fails, with the reason.
pub(crate) async fn fetch_sites(app: &App, job: &Job) -> Result<()> {
    for site in app.store.sites_to_fetch(job).await? {
        let mut visits = Visits::begin(app, job, &site).await?;
        let end = match visits.walk().await {
            Ok(end) => end,
            Err(Stop::Removed) => continue,
            Err(Stop::Failed(error)) => return Err(error),
        };
        if let Some(unused) = app.store.end_fetch(job, &site, &end, app.now()).await? {
            app.blobs.delete(&unused).await?;
        }
        tracing::info!(job.id = %job.job_id, fetch.end = ?end, "a website was fetched");
    }
    Ok(())
}
