/** What a page can say to Scanbus and hear from it; made by `make types` from the service's own messages. */

/** A rectangle on the glass, from its top left corner. */
export type Area = { left_mm?: number; top_mm?: number; width_mm: number; height_mm: number };

/** Bytes that lie beside the bus: what they are called, how many, and of what kind. */
export type Blob = { name: string; size: number; media_type: string };

/** What a device can do; nothing that is offered here is refused when asked for alone. */
export type Capabilities = { sources: Array<SourceCapabilities>; default_color?: Color; default_resolution_dpi?: number; brightness?: boolean; contrast?: boolean; options?: Array<Option> };

/** One splice: where the document had `before` from `at` on, it now has `after`. */
export type Change = { document_id: string; revision: number; at?: number; before?: Array<string>; after?: Array<string>; touched?: Array<string>; whole?: boolean; gone?: boolean };

/** What a sample means; pages keep 8 bits a sample (1 for mono). */
export type Color = "color" | "gray" | "mono";

/** One scanner as a person would recognize it. */
export type Device = { device_id: string; name: string; vendor?: string; model?: string; driver?: string };

/** Pages in an order; a session always has a first one. */
export type Document = { document_id: string; name?: string; pages?: number; revision?: number };

/** The body of a reply that says no. */
export type Failure = { type: "bus.failure"; code: string; text: string; data?: Record<string, string> };

/** One side of a sheet as the device delivered it. */
export type Image = { blob: Blob; width_px: number; height_px: number; resolution_dpi: number; color: Color; back?: boolean };

/** One scan of one session; it survives every crash. */
export type Job = { job_id: string; device_id: string; state: JobState; pages?: number; fault?: Failure | null; paused?: Failure | null; gap?: number; document_id?: string; last_page_id?: string };

/** How far a scan is; it only moves forward. */
export type JobState = "canceled" | "completed" | "faulted" | "pending" | "running";

/** What is known of a document without its password. */
export type KeptDocument = { name: string; changed_at: number; protected?: boolean };

/** One option of a device that has no name of its own in `Settings`. */
export type Option = { name: string; type: OptionType; title?: string; description?: string; unit?: string; value?: boolean | number | string | Array<number> | null; choices?: Array<number | string>; range?: Range | null; length?: number; active?: boolean; settable?: boolean };

/** What kind of value a device's option takes. */
export type OptionType = "bool" | "button" | "float" | "float_list" | "int" | "int_list" | "string";

/** One page of a session: an image, and what was done to it since. */
export type Page = { page_id: string; image: Image; rotation_degrees?: number; tags?: Array<string>; job_id?: string; number?: number };

/** The numbers from `minimum` to `maximum`, in steps of `step` (0: any). */
export type Range = { minimum: number; maximum: number; step?: number };

/** How one service does: who works for it and what waits. */
export type ServiceState = { service: string; workers?: number; slots?: number; busy?: number; queued?: number; failed?: string };

/** How to scan, in the field's own terms; what is left out is the device's own default. */
export type Settings = { source?: Source | null; color?: Color | null; resolution_dpi?: number | null; page_size?: "a3" | "a4" | "a5" | "a6" | "b5" | "card" | "legal" | "letter" | null; area?: Area | null; brightness?: number; contrast?: number; pages?: number; options?: Record<string, boolean | number | string | Array<number>> };

/** Where a sheet is taken from. */
export type Source = "duplex" | "feeder" | "flatbed";

/** What one source of a device can do. */
export type SourceCapabilities = { source: Source; colors: Array<Color>; resolutions_dpi?: Array<number>; resolution_range_dpi?: Range | null; width_mm: number; height_mm: number; page_sizes?: Array<"a3" | "a4" | "a5" | "a6" | "b5" | "card" | "legal" | "letter"> };

/** A session that is kept. Times are Unix times, in seconds. */
export type Stay = { session_id: string; pages?: number; begun_at: number; used_at: number; running?: boolean; connected?: boolean; damaged?: boolean };

/** A document of the session changed. */
export type BufferChanged = { type: "buffer.changed"; change: Change };

/** The copies, in the order in which the pages were named. */
export type BufferCopied = { type: "buffer.copied"; page_ids: Array<string> };

/** Put copies of pages, in the order given, so that the first of them is at `position` afterwards. */
export type BufferCopy = { type: "buffer.copy"; page_ids: Array<string>; position: number; document_id?: string };

/** Begin another document; `too_large` beyond 100. */
export type BufferCreateDocument = { type: "buffer.create_document"; name?: string };

/** It is durable. */
export type BufferDefaultTag = { type: "buffer.default_tag" };

/** The document is the session's last, and empty. */
export type BufferDocumentCreated = { type: "buffer.document_created"; document: Document };

/** All documents of the session; the one with the id `first` is what an empty `document_id` means. */
export type BufferDocuments = { type: "buffer.documents"; documents: Array<Document>; default_tag?: string };

/** It is durable; one change for each document that is not as it was. */
export type BufferEdited = { type: "buffer.edited"; changes: Array<Change> };

/** One page. */
export type BufferFound = { type: "buffer.found"; page: Page; document_id?: string };

/** One page of this session; `not_found` if it has none of that id. */
export type BufferGetPage = { type: "buffer.get_page"; page_id: string };

/** Which documents has this session? */
export type BufferListDocuments = { type: "buffer.list_documents" };

/** Which pages has a document? Go on at `start` + `len(pages)` while that is less than `total`. */
export type BufferListPages = { type: "buffer.list_pages"; document_id?: string; tag?: string; page_ids?: Array<string>; start?: number; count?: number };

/** Put pages, in the order given, so that the first of them is at `position` afterwards. */
export type BufferMove = { type: "buffer.move"; page_ids: Array<string>; position: number; document_id?: string };

/** Pages in order, from `start` on; fewer than asked for where the letter would be too long. */
export type BufferPages = { type: "buffer.pages"; pages: Array<Page>; document_id?: string; revision?: number; total?: number; start?: number };

/** Delete pages: their images go when nobody else has them. */
export type BufferRemove = { type: "buffer.remove"; page_ids: Array<string> };

/** Delete a document with its pages; the first one stays, without pages and name. */
export type BufferRemoveDocument = { type: "buffer.remove_document"; document_id: string };

/** Give a document another name. */
export type BufferRenameDocument = { type: "buffer.rename_document"; document_id: string; name: string };

/** Turn pages clockwise; the images as scanned are not touched. */
export type BufferRotate = { type: "buffer.rotate"; page_ids: Array<string>; degrees: number };

/** Put a tag on every page that comes from now on. */
export type BufferSetDefaultTag = { type: "buffer.set_default_tag"; tag: string };

/** Put tags on pages and take tags from them; `too_large` where a page would have more than 16. */
export type BufferTag = { type: "buffer.tag"; page_ids: Array<string>; add?: Array<string>; remove?: Array<string> };

/** The body of a reply that says no. */
export type BusFailure = { type: "bus.failure"; code: string; text: string; data?: Record<string, string> };

/** Ask what runs now. */
export type BusGetStatus = { type: "bus.get_status" };

/** A service came, went or was given up. */
export type BusServiceChanged = { type: "bus.service_changed"; service: string; available: boolean };

/** What runs now. */
export type BusStatus = { type: "bus.status"; broker: string; services: Array<ServiceState> };

/** Scanners wait for room to keep their pages; what was finished before is safe. */
export type CacheDiskFull = { type: "cache.disk_full"; reason: "disk" | "limit"; used_bytes: number; free_bytes: number; limit_bytes: number };

/** How full is the store? */
export type CacheGetUsage = { type: "cache.get_usage" };

/** There is room again: scanners go on. */
export type CacheRoomAgain = { type: "cache.room_again" };

/** How much is kept, and how much may be. */
export type CacheUsage = { type: "cache.usage"; disk_bytes: number; disk_free_bytes: number; blobs: number; sessions: number; memory_limit_bytes: number; disk_limit_bytes?: number };

/** The scan goes on. */
export type DeviceContinued = { type: "device.continued"; job: Job };

/** What can this device do? */
export type DeviceDescribe = { type: "device.describe"; device_id: string };

/** What one device can do. */
export type DeviceDescribed = { type: "device.described"; device: Device; capabilities: Capabilities };

/** A scanner was added. */
export type DeviceDeviceFound = { type: "device.device_found"; device: Device };

/** A scanner is gone. */
export type DeviceDeviceLost = { type: "device.device_lost"; device_id: string };

/** The scanners, as far as they are known now. */
export type DeviceDevices = { type: "device.devices"; devices: Array<Device>; searching?: Array<string>; faults?: Record<string, string> };

/** Come back to a scan that is running: what still arrives, then how it ended. */
export type DeviceFollow = { type: "device.follow"; job_id: string };

/** The scans of this session, newest last. */
export type DeviceJobs = { type: "device.jobs"; jobs: Array<Job> };

/** Which scanners are there? Answers at once from what is known, and searches behind it. */
export type DeviceListDevices = { type: "device.list_devices"; wait?: boolean };

/** Which scans has this session? */
export type DeviceListJobs = { type: "device.list_jobs" };

/** The scan waits; `job.paused` says why, and what a person can do. */
export type DevicePaused = { type: "device.paused"; job: Job };

/** How much of the page that is being scanned has arrived. */
export type DeviceProgress = { type: "device.progress"; number: number; fraction: number };

/** A sheet that was put back repeats a page that is kept: it was not kept again. */
export type DeviceRepeated = { type: "device.repeated"; number: number; page_id: string };

/** The paper is in place: go on with a scan that is paused; `conflict` if it does not wait for that. */
export type DeviceResume = { type: "device.resume"; job_id: string; put_back?: number };

/** The scan goes on. */
export type DeviceResumed = { type: "device.resumed"; job: Job };

/** Scan: each page follows as a part once it is durable. Goes on when the browser is gone. */
export type DeviceScan = { type: "device.scan"; device_id: string; settings?: Settings; document_id?: string; after_page_id?: string; pause_s?: number };

/** The end of a scan that went well. */
export type DeviceScanned = { type: "device.scanned"; job: Job };

/** A page that is durable: it is there until it is removed. */
export type DeviceScannedPage = { type: "device.scanned_page"; page: Page; number: number; resembles?: number };

/** The first part of a scan: its name, for those who come back later. */
export type DeviceStarted = { type: "device.started"; job: Job };

/** Cancel a scan; answers when the device has stopped. */
export type DeviceStop = { type: "device.stop"; job_id: string };

/** How the scan ended; finished pages are kept. */
export type DeviceStopped = { type: "device.stopped"; job: Job };

/** Begin a document; `conflict` if there is one of that name. */
export type KeptCreate = { type: "kept.create"; name?: string; password?: string; metadata?: Record<string, string> };

/** There is an empty document of that name, and it is durable. */
export type KeptCreated = { type: "kept.created"; name: string };

/** Whether there is such a document, and whether it needs a password. */
export type KeptExistence = { type: "kept.existence"; exists: boolean; protected?: boolean };

/** Is there a document of that name? */
export type KeptExists = { type: "kept.exists"; name: string };

/** What was noted with a document, and how many pages it has. */
export type KeptGetMetadata = { type: "kept.get_metadata"; name: string; password?: string };

/** Documents of this origin by name, from `start` on; one that is damaged as a whole is in the log instead. */
export type KeptKept = { type: "kept.kept"; total: number; start: number; documents: Array<KeptDocument> };

/** Which documents has this origin? */
export type KeptListKept = { type: "kept.list_kept"; start?: number; count?: number };

/** Which pages has a document? To see one, load it. */
export type KeptListPages = { type: "kept.list_pages"; name: string; password?: string; start?: number; count?: number };

/** Append copies of a document's pages to this session, with their edits and tags. */
export type KeptLoad = { type: "kept.load"; name: string; password?: string; page_ids?: Array<string>; document_id?: string };

/** The pages are the session's, and durable. */
export type KeptLoaded = { type: "kept.loaded"; page_ids: Array<string>; metadata: Record<string, string>; damaged?: Array<string> };

/** A document's metadata. */
export type KeptNoted = { type: "kept.noted"; metadata: Record<string, string>; pages: number };

/** Pages of a document in order, from `start` on. */
export type KeptPages = { type: "kept.pages"; total: number; start: number; pages: Array<Page> };

/** The pages are gone. */
export type KeptPagesRemoved = { type: "kept.pages_removed"; pages: number };

/** How many pages are done, of how many. */
export type KeptProgress = { type: "kept.progress"; pages: number; total: number };

/** Destroy a document. One whose key is damaged, so that nothing can open it, needs no password. */
export type KeptRemove = { type: "kept.remove"; name: string; password?: string };

/** Delete pages of a document. */
export type KeptRemovePages = { type: "kept.remove_pages"; name: string; page_ids: Array<string>; password?: string };

/** The document's key is destroyed and its files are deleted. */
export type KeptRemoved = { type: "kept.removed" };

/** Put copies of this session's pages into a document, with their edits and tags: all of them, or none. */
export type KeptSave = { type: "kept.save"; name: string; password?: string; page_ids?: Array<string>; document_id?: string; replace?: boolean; position?: number };

/** The pages are in the document, and durable. */
export type KeptSaved = { type: "kept.saved"; page_ids: Array<string>; pages: number };

/** Replace what was noted with a document. */
export type KeptSetMetadata = { type: "kept.set_metadata"; name: string; metadata: Record<string, string>; password?: string };

/** Make one PDF of the session's pages: right size from the resolution, rotated as seen. */
export type PdfCreate = { type: "pdf.create"; page_ids?: Array<string>; document_id?: string; tag?: string; compression?: "jpeg" | "lossless"; quality?: number; title?: string };

/** The file; it is kept until the session ends. */
export type PdfCreated = { type: "pdf.created"; document: Blob; pages: number };

/** How many pages are in the file. */
export type PdfProgress = { type: "pdf.progress"; pages: number; total: number };

/** End the session and destroy all that it kept. */
export type SessionClose = { type: "session.close" };

/** The session's pages, files and key are gone. */
export type SessionClosed = { type: "session.closed" };

/** Which sessions has this origin? Programs, which have none, share theirs. */
export type SessionListStays = { type: "session.list_stays" };

/** Begin a session, or come back to one; a token that opens nothing any more begins one. */
export type SessionOpen = { type: "session.open"; token?: string; session_id?: string };

/** The stay: keep the token, it opens the same session again after a reload. */
export type SessionOpened = { type: "session.opened"; session_id: string; token: string; version: string; resumed?: boolean };

/** The sessions of the caller's origin, the one that was used last first. */
export type SessionStays = { type: "session.stays"; stays: Array<Stay> };
