--[[
  Strong interference in the amplitude of one baseline, 24 times by 768 channels, whose median is 0.

  What the whole array sees is known already. Only short runs pass so high a threshold: over long ones the sources of a
  bright field beat, and that is not interference.
]]

aoflagger.require_min_version("3.0")

function execute(input)
  local threshold = 3.0

  local work = input:copy()
  aoflagger.sumthreshold_masked(work, input, threshold, threshold, false, true)
  work:join_mask(input)
  aoflagger.sumthreshold_masked(work, input, threshold, threshold, true, false)
  input:join_mask(work)
end
