/** What a page can say to Scanbus and hear from it; made by `make types` from the service's own messages. */

/** A rectangle on the glass, from its top left corner. */
export type Area = { left_mm?: number; top_mm?: number; width_mm: number; height_mm: number };

/** Bytes that lie beside the bus: what they are called, how many, and of what kind. */
export type Blob = { name: string; size: number; media_type: string };

/** What a device can do; nothing that is offered here is refused when asked for alone. */
export type Capabilities = { sources: Array<SourceCapabilities>; default_color?: Color; default_resolution_dpi?: number; brightness?: boolean; contrast?: boolean; options?: Array<Option> };

/** What a sample means; pages keep 8 bits a sample (1 for mono). */
export type Color = "color" | "gray" | "mono";

/** One scanner as a person would recognize it. */
export type Device = { device_id: string; name: string; vendor?: string; model?: string; driver?: string };

/** The body of a reply that says no. */
export type Failure = { type: "bus.failure"; code: string; text: string; data?: Record<string, string> };

/** One side of a sheet as the device delivered it. */
export type Image = { blob: Blob; width_px: number; height_px: number; resolution_dpi: number; color: Color; back?: boolean };

/** One scan of one session. */
export type Job = { job_id: string; device_id: string; state: JobState; pages?: number; fault?: Failure | null };

/** How far a scan is; it only moves forward. */
export type JobState = "canceled" | "completed" | "faulted" | "pending" | "running";

/** One option of a device that has no name of its own in `Settings`. */
export type Option = { name: string; type: OptionType; title?: string; description?: string; unit?: string; value?: boolean | number | string | Array<number> | null; choices?: Array<number | string>; range?: Range | null; length?: number; active?: boolean; settable?: boolean };

/** What kind of value a device's option takes. */
export type OptionType = "bool" | "button" | "float" | "float_list" | "int" | "int_list" | "string";

/** One page of a session: an image, and what was done to it since. */
export type Page = { page_id: string; image: Image; rotation_degrees?: number };

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

/** The session's pages changed: ask for them again. */
export type BufferChanged = { type: "buffer.changed" };

/** One page. */
export type BufferFound = { type: "buffer.found"; page: Page };

/** One page of this session; `not_found` if it has none of that id. */
export type BufferGetPage = { type: "buffer.get_page"; page_id: string };

/** Which pages has this session? */
export type BufferListPages = { type: "buffer.list_pages" };

/** Put pages, in the order given, so that the first of them is at `position` afterwards. */
export type BufferMove = { type: "buffer.move"; page_ids: Array<string>; position: number };

/** All pages of the session, in order. */
export type BufferPages = { type: "buffer.pages"; pages: Array<Page> };

/** Delete pages: their images go when nobody else has them. */
export type BufferRemove = { type: "buffer.remove"; page_ids: Array<string> };

/** Turn pages clockwise; the images as scanned are not touched. */
export type BufferRotate = { type: "buffer.rotate"; page_ids: Array<string>; degrees: number };

/** The body of a reply that says no. */
export type BusFailure = { type: "bus.failure"; code: string; text: string; data?: Record<string, string> };

/** Ask what runs now. */
export type BusGetStatus = { type: "bus.get_status" };

/** A service came, went or was given up. */
export type BusServiceChanged = { type: "bus.service_changed"; service: string; available: boolean };

/** What runs now. */
export type BusStatus = { type: "bus.status"; broker: string; services: Array<ServiceState> };

/** How full is the store? */
export type CacheGetUsage = { type: "cache.get_usage" };

/** How much is kept, and how much may be. */
export type CacheUsage = { type: "cache.usage"; disk_bytes: number; disk_free_bytes: number; blobs: number; sessions: number; memory_limit_bytes: number };

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

/** How much of the page that is being scanned has arrived. */
export type DeviceProgress = { type: "device.progress"; number: number; fraction: number };

/** Scan: each page follows as a part once it is durable. Goes on when the browser is gone. */
export type DeviceScan = { type: "device.scan"; device_id: string; settings?: Settings };

/** The end of a scan that went well. */
export type DeviceScanned = { type: "device.scanned"; job: Job };

/** A page that is durable: it is there until it is removed. */
export type DeviceScannedPage = { type: "device.scanned_page"; page: Page; number: number };

/** The first part of a scan: its name, for those who come back later. */
export type DeviceStarted = { type: "device.started"; job: Job };

/** Cancel a scan; answers when the device has stopped. */
export type DeviceStop = { type: "device.stop"; job_id: string };

/** How the scan ended; finished pages are kept. */
export type DeviceStopped = { type: "device.stopped"; job: Job };

/** Make one PDF of the session's pages: right size from the resolution, rotated as seen. */
export type PdfCreate = { type: "pdf.create"; page_ids?: Array<string>; compression?: "jpeg" | "lossless"; quality?: number; title?: string };

/** The file; it is kept until the session ends. */
export type PdfCreated = { type: "pdf.created"; document: Blob; pages: number };

/** How many pages are in the file. */
export type PdfProgress = { type: "pdf.progress"; pages: number; total: number };

/** End the session and destroy all that it kept. */
export type SessionClose = { type: "session.close" };

/** The session's pages, files and key are gone. */
export type SessionClosed = { type: "session.closed" };

/** Begin a session, or come back to one. */
export type SessionOpen = { type: "session.open"; token?: string };

/** The stay: keep the token, it opens the same session again after a reload. */
export type SessionOpened = { type: "session.opened"; session_id: string; token: string; version: string; resumed?: boolean };
