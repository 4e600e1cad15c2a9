//! What is to be done after a start that no request has to wait for? Vectors that the configured model did not make are
//! made anew, and the indexes that will be asked first are built.

use harkback_engine::{Memory, StartIds};

use crate::app::{App, AppState};

/// Memories whose indexes are built before anyone asks.
const MAX_WARMED: i64 = 100;

/// Does it all once, or until the program stops.
pub async fn run(app: AppState) {
    let work = async {
        if let Err(error) = catch_up(&app).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what a start has to do could not be done; it is tried again at the next one"
            );
        }
    };
    tokio::select! {
        () = app.ending.cancelled() => {}
        () = work => {}
    }
}

/// Asks for the ingestion of every memory with vectors of another model than the configured one, or with none though
/// there is a model now, then builds the indexes of the memories that changed last.
///
/// # Errors
/// If the database fails.
pub async fn catch_up(app: &App) -> harkback_engine::Result<()> {
    // First, because an ingestion that is asked for is a change of the memory.
    let recent = app.store.recent_memories(MAX_WARMED).await?;
    renew_vectors(app).await?;
    for record in recent {
        // More could push out what was built before it, which is likelier to be asked.
        if app.memory.resident_bytes() > Memory::MAX_RESIDENT_BYTES / 2 {
            break;
        }
        if let Err(error) = app.memory.warm(&record).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                memory.id = %record.memory_id.0,
                "an index cannot be built"
            );
        }
    }
    Ok(())
}

/// Until the worker has made a file's new version, the old one answers.
async fn renew_vectors(app: &App) -> harkback_engine::Result<()> {
    let Some(model_id) = app.memory.embedder_id() else { return Ok(()) };
    let outdated = app.store.memories_with_outdated_vectors(model_id).await?;
    if outdated.is_empty() {
        return Ok(());
    }
    for record in &outdated {
        let ids = StartIds { job_id: app.new_id(), batch_id: app.new_id() };
        app.store.start_ingestion(record, ids, Some(model_id), app.now()).await?;
    }
    tracing::info!(n_memories = outdated.len(), model_id, "vectors are made anew");
    app.job_ready.notify_waiters();
    Ok(())
}
