//! The verbs by which accounts go to another store and come from one.

use super::{SqliteStore, export, import, writer::Outdates};
use crate::{
    domain::account::Uid,
    store::{AccountExport, Cursor, List, Page, Records, Result, Transfer},
};
use async_trait::async_trait;

#[async_trait]
impl Transfer for SqliteStore {
    async fn place(&self) -> Result<String> {
        let (device, inode) = self.readers.identity();
        Ok(format!("file {device} {inode}"))
    }

    async fn export(&self, uid: &Uid) -> Result<Option<AccountExport>> {
        let uid = uid.clone();
        self.readers.run(move |db| export::account(db, &uid)).await
    }

    async fn export_part(&self, uid: &Uid, list: List, after: &Cursor) -> Result<Page> {
        let (uid, after, now) = (uid.clone(), after.clone(), self.clock.now());
        self.readers.run(move |db| export::part(db, &uid, list, (&after, now))).await
    }

    async fn import_part(&self, uid: &Uid, records: &Records, after: &Cursor) -> Result<Cursor> {
        let (uid, records, after) = (uid.clone(), records.clone(), after.clone());
        self.writer.run(move |db, _| import::part(db, &uid, &records, &after)).await
    }

    async fn import(&self, export: &AccountExport) -> Result<()> {
        let export = export.clone();
        self.writer.run_changing(Outdates::Anything, move |db, _| import::account(db, &export)).await
    }
}
