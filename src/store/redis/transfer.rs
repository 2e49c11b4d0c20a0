//! The verbs by which accounts go to another store and come from one.

use super::{RedisStore, export, import};
use crate::{
    domain::account::Uid,
    store::{AccountExport, Cursor, List, Page, Records, Result, Transfer},
};
use async_trait::async_trait;

#[async_trait]
impl Transfer for RedisStore {
    async fn place(&self) -> Result<String> {
        let link = &self.engine.link;
        Ok(format!("redis {} {}", link.identity()?.join(" "), link.dialer().database()))
    }

    async fn export(&self, uid: &Uid) -> Result<Option<AccountExport>> {
        export::account(&self.engine, uid).await
    }

    async fn export_part(&self, uid: &Uid, list: List, after: &Cursor) -> Result<Page> {
        export::part(&self.engine, uid, list, after).await
    }

    async fn import_part(&self, uid: &Uid, records: &Records, after: &Cursor) -> Result<Cursor> {
        import::part(&self.engine, uid, records, after).await
    }

    async fn import(&self, export: &AccountExport) -> Result<()> {
        import::account(&self.engine, export).await?;
        self.engine.link.wait_until_safe().await
    }
}
