--[[
  Faint interference in the mean power of the array, where what is strong has been found and filled with 0.

  The background is what is smooth over 7 integrations (90 s) and 20 channels (5 MHz): the receivers' passband and the
  sky. It is fitted to the whole band at once, and no subband is scaled to another: a level that steps from one subband
  to the next is seen as it is.
]]

aoflagger.require_min_version("3.0")

function execute(input)
  local threshold = 1.0
  local times, channels = 3, 4 -- samples that are averaged before the fit, for speed
  local window_times, window_channels = 21, 21 -- of the averaged image
  local sigma_times, sigma_channels = 2.5, 5.0

  local background = input:copy()
  local small = aoflagger.downsample(background, times, channels, true)
  aoflagger.low_pass_filter(small, window_times, window_channels, sigma_times, sigma_channels)
  aoflagger.upsample(small, background, times, channels)

  local residual = input - background
  residual:set_mask(input)
  aoflagger.sumthreshold_masked(residual, input, threshold, threshold, false, true)
  residual:join_mask(input)
  aoflagger.sumthreshold_masked(residual, input, threshold, threshold, true, false)
  input:join_mask(residual)
end
