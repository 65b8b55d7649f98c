//! The device record: who we are. Strict, and JSON, because an older version of the library can read nothing else of it.

use async_trait::async_trait;
use wacore::store::Device;
use wacore::store::error::Result;
use wacore::store::traits::DeviceStore;

use super::{Store, json};
use crate::vault::put;

#[async_trait]
impl DeviceStore for Store {
    async fn save(&self, device: &Device) -> Result<()> {
        self.commit(vec![put("device", "", json(device)?)]).await
    }

    async fn load(&self) -> Result<Option<Device>> {
        self.read_json("device", "").await
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.read("device", "").await?.is_some())
    }

    async fn create(&self) -> Result<i32> {
        self.save(&Device::new()).await?;
        Ok(1)
    }
}
