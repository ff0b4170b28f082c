"""The caption panel's server: one aiohttp application for ComfyUI and for `lorads panel`; its page is in web/panel."""
