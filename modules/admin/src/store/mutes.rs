//! The versions of mutes.

use broker_schemas::Timestamp;
use natter_host::Result;
use sqlx::query_scalar;

use super::Store;

impl Store {
    /// The version of the next mute: greater than every one before. It is not below the time, so that it grows also when these
    /// tables were restored from an older copy, and the modules that keep mutes were not.
    pub(crate) async fn next_mute(&self, now: Timestamp) -> Result<u64> {
        const SQL: &str = "
            UPDATE counter SET last = CASE WHEN last < $1 THEN $1 ELSE last + 1 END
            WHERE name = 'mute' RETURNING last";
        let mut transaction = self.begin().await?;
        let version: i64 = query_scalar(SQL).bind(now.0).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(version.cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::each_database;

    #[tokio::test]
    async fn versions_only_grow_whatever_the_clock_does() {
        each_database(async |store| {
            let next = async |now| store.next_mute(Timestamp(now)).await.unwrap();
            assert_eq!((next(1_000).await, next(1_000).await, next(10).await), (1_000, 1_001, 1_002));
            assert_eq!(next(5_000).await, 5_000);
            let both = tokio::join!(next(1), next(1));
            assert_eq!(both.0.min(both.1), 5_001);
            assert_eq!(both.0.max(both.1), 5_002);
        })
        .await;
    }
}
