//! The verbs by which accounts go to another store and come from one.

use super::{RedisStore, export, import};
use crate::{
    domain::caller::Uid,
    store::{AccountExport, List, Mark, Movable, Part, Records, Result},
};
use async_trait::async_trait;

#[async_trait]
impl Movable for RedisStore {
    async fn place(&self) -> Result<String> {
        let line = &self.desk.line;
        Ok(format!("redis {} {}", line.identity()?.join(" "), line.dialer().database()))
    }

    async fn export(&self, uid: &Uid) -> Result<Option<AccountExport>> {
        export::account(&self.desk, uid).await
    }

    async fn export_part(&self, uid: &Uid, list: List, after: &Mark) -> Result<Part> {
        export::part(&self.desk, uid, list, after).await
    }

    async fn import_part(&self, uid: &Uid, records: &Records, after: &Mark) -> Result<Mark> {
        import::part(&self.desk, uid, records, after).await
    }

    async fn import(&self, export: &AccountExport) -> Result<()> {
        import::account(&self.desk, export).await?;
        self.desk.line.wait_for_replica().await
    }
}
