Rails.application.routes.draw do
  get 'up' => 'rails/health#show', as: :health
  namespace :api do
    resources :items, only: [:index, :create]
  end
end
