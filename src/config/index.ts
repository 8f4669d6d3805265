export { exampleConfig } from './example.ts';
export { type ConfigSources, fromText, type LoadedConfig, loadConfig, SYSTEM_CONFIG } from './load.ts';
export { type Config, SETTING_ROWS, type SettingRow } from './settings.ts';
export { readToml } from './toml.ts';
