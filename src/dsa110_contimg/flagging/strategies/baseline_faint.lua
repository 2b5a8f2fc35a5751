--[[
  Faint interference in the amplitude of one baseline, where what is strong has been found and filled with 0.

  The background is what is smooth over 2 integrations and 10 channels (2.4 MHz): the beats of a bright source with others
  in the beam. What is as smooth as that and still interference is seen by the whole array.
]]

aoflagger.require_min_version("3.0")

function execute(input)
  local threshold = 1.0
  local times, channels = 1, 2 -- samples that are averaged before the fit, for speed
  local window_times, window_channels = 21, 21 -- of the averaged image
  local sigma_times, sigma_channels = 2.0, 5.0

  local background = input:copy()
  local small = aoflagger.downsample(background, times, channels, true)
  aoflagger.low_pass_filter(small, window_times, window_channels, sigma_times, sigma_channels)
  aoflagger.upsample(small, background, times, channels)

  -- What is masked is filled with noise, so no mask is needed; without one, SumThreshold takes a tenth of the time.
  local residual = input - background
  residual:clear_mask()
  local runs = residual:copy()
  aoflagger.sumthreshold(residual, threshold, threshold, false, true)
  aoflagger.sumthreshold(runs, threshold, threshold, true, false)
  input:join_mask(residual)
  input:join_mask(runs)
end
